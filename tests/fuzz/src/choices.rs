//! Decisions read from bytes, so that a fuzzer that changes a byte changes a decision.

/// What is left of an input. Where it has ended, every decision is the first one.
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// One of `count` things by its number; 0 where there is none.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let byte = usize::from(self.byte());
        if count == 0 { 0 } else { byte % count }
    }

    /// One of some things, if there is any.
    pub(crate) fn pick<'b, T>(&mut self, of: &'b [T]) -> Option<&'b T> {
        of.get(self.below(of.len()))
    }

    /// Two bytes.
    pub(crate) fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// `near` as a rule; else a number close to it, a small or great one, or any.
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

    /// What is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Changes some bytes of `bytes`, by what is left of the choices, three at a time: where (two
/// bytes, modulo the length) and how. Returns whether anything differs now.
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
