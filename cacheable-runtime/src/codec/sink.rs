//! Where encoders write: the end of a vector, up to a limit.

use std::io;

/// Appends to a vector until the limit; what would exceed it is not written.
pub(crate) struct Sink<'a> {
    out: &'a mut Vec<u8>,
    left: usize,
    full: bool,
}

impl<'a> Sink<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, limit: usize) -> Self {
        Self {
            out,
            left: limit,
            full: false,
        }
    }

    /// The limit was hit, whatever error the encoder made of that.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    // Called for each number of a value, from the crate that declares its type.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        match self.left.checked_sub(bytes.len()) {
            Some(left) if !self.full => {
                self.left = left;
                self.out.extend_from_slice(bytes);
                true
            }
            _ => {
                self.full = true;
                false
            }
        }
    }
}

impl io::Write for Sink<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.push(bytes) {
            Ok(bytes.len())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
