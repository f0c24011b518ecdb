//! The spans of the log: each line of a validator says at which height and round it was written,
//! and whose message it is about.

use quorate_replica::Event;
use quorate_types::message::{ClientRequest, Request};
use quorate_types::{Height, PublicKey, Round};
use tracing::Span;

/// The span of the height and round in progress. It is made when one of them changes, and not for
/// each event: it is entered for all of them. Its level is that of a warning, so that warnings are
/// in it where nothing else is logged.
pub(super) struct HeightSpan {
    validator: Span,
    at: Option<(Height, Round)>,
    current: Span,
}

impl HeightSpan {
    /// Makes the span of a validator that has not recovered yet, which names its key only.
    pub(super) fn new(me: &PublicKey) -> Self {
        let validator = tracing::warn_span!(parent: None, "validator", key = %me.short());
        Self {
            current: validator.clone(),
            validator,
            at: None,
        }
    }

    /// Goes on to this height and round, and returns their span.
    pub(super) fn at(&mut self, height: Height, round: Round) -> &Span {
        if self.at != Some((height, round)) {
            self.at = Some((height, round));
            self.current = tracing::warn_span!(parent: &self.validator, "height", height, round);
        }
        &self.current
    }

    /// Returns the span of the height and round that were last gone on to.
    pub(super) fn current(&self) -> &Span {
        &self.current
    }
}

/// Makes a span that says who sent the message of an event; the empty span for an event of this
/// node.
pub(super) fn sender(event: &Event) -> Span {
    match event {
        Event::Peer { from, .. } => tracing::debug_span!("peer", key = %from.short()),
        Event::Client { from, request } => client(from, request),
        Event::Connected(peer) | Event::Disconnected(peer) => {
            tracing::debug_span!("peer", key = %peer.short())
        }
        _ => Span::none(),
    }
}

/// Makes the span of a client's request. The id of an operation is computed only if the span is
/// wanted.
fn client(from: &PublicKey, request: &ClientRequest) -> Span {
    match &request.request {
        Request::Submit(operation) => tracing::debug_span!(
            "client",
            key = %from.short(),
            operation = %operation.id().short()
        ),
        _ => tracing::debug_span!("client", key = %from.short(), request = request.id),
    }
}
