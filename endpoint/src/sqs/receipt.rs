//! Receipt handles: which message, received which time.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::store::QueueId;

use super::error::SqsError;

/// A handle taken apart. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) queue: QueueId,
    pub(super) message: i64,
    /// Differs for each receive, so that a queue that keeps an order refuses an older handle.
    pub(super) nonce: i64,
}

impl Receipt {
    pub(super) fn encode(self) -> String {
        let fields = [self.queue, self.message, self.nonce].map(i64::to_be_bytes).concat();
        BASE64_URL_SAFE_NO_PAD.encode(fields)
    }

    /// Takes `handle` apart, which must be one of `queue`. A handle of a message that was since moved to a dead-letter queue is
    /// still one of the queue it was received from.
    pub(super) fn decode(handle: &str, queue: QueueId) -> Result<Receipt, SqsError> {
        let invalid = || SqsError::ReceiptHandleIsInvalid(handle.to_owned());
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(handle).map_err(|_| invalid())?;
        let fields: [u8; 24] = bytes.try_into().map_err(|_| invalid())?;
        let field = |at: usize| i64::from_be_bytes(std::array::from_fn(|i| fields[at * 8 + i]));
        let receipt = Receipt { queue: field(0), message: field(1), nonce: field(2) };
        if receipt.queue == queue { Ok(receipt) } else { Err(invalid()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_of_one_queue() {
        let receipt = Receipt { queue: 3, message: 7, nonce: -9 };
        assert_eq!(Receipt::decode(&receipt.encode(), 3).unwrap(), receipt);
        assert!(Receipt::decode(&receipt.encode(), 4).is_err());
        for broken in ["", "x", "ä", &"A".repeat(1000)] {
            assert!(Receipt::decode(broken, 3).is_err());
        }
    }
}
