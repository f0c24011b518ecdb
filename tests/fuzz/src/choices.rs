//! Decisions that are read from bytes, so that a fuzzer which changes a byte changes a decision.

/// The bytes of an input that are not read yet. If none is left, every decision is the first one.
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one byte; 0 if none is left.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// Chooses one of `count` things by its index; 0 if `count` is 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let byte = usize::from(self.byte());
        if count == 0 { 0 } else { byte % count }
    }

    /// Chooses one of some things; `None` if there is none.
    pub(crate) fn pick<'b, T>(&mut self, of: &'b [T]) -> Option<&'b T> {
        of.get(self.below(of.len()))
    }

    /// Takes two bytes as a number.
    pub(crate) fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// Chooses a number: mostly `near`, otherwise one close to it, a small or large one, a power of
    /// 16, or one up to 65,535 above `near`.
    pub(crate) fn number(&mut self, near: u64) -> u64 {
        let byte = self.byte();
        let step = u64::from(byte & 15);
        match byte {
            0..=159 => near,
            160..=175 => near.saturating_add(1 + step),
            176..=191 => near.saturating_sub(1 + step),
            192..=207 => step,
            208..=223 => u64::MAX - step,
            224..=239 => 1 << (4 * step),
            _ => near.wrapping_add(u64::from(self.short())),
        }
    }

    /// Takes all bytes that are left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Edits `bytes` by the choices until none is left. Each edit takes at least three bytes: two for
/// the place, modulo the length, and one for the kind. Returns whether anything differs now.
pub(crate) fn edit(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) -> bool {
    let before = bytes.clone();
    while !choices.is_over() && !bytes.is_empty() {
        let at = usize::from(choices.short()) % bytes.len();
        match choices.byte() {
            0 => bytes.truncate(at),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, choices.byte()),
            3 => {
                let tail = bytes.split_off(at);
                let cut = tail.len().min(usize::from(choices.short()));
                bytes.extend_from_slice(&tail[cut..]);
            }
            4 => {
                let copied = bytes[at..].iter().take(choices.byte().into()).copied();
                let copied: Vec<_> = copied.collect();
                let to = usize::from(choices.short()) % bytes.len();
                bytes.splice(to..to, copied);
            }
            5 => bytes[at] = choices.byte(),
            mask => bytes[at] ^= mask,
        }
    }
    *bytes != before
}
