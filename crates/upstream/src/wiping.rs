//! Bytes that hold a secret on its way out: what was sent is wiped, so that freed memory does not hold it on.
//!
//! Heads of requests are such, and credentials that are attached to one. `Bytes` by themselves only free.

use bytes::Bytes;

/// Bytes that are shared without a copy, and overwritten once nobody has them any more.
pub fn wiping(secret: Vec<u8>) -> Bytes {
    Bytes::from_owner(Wiping(secret))
}

/// It is on every request's way, and zeroize writes byte by byte: a fill in one go costs a twentieth of that.
struct Wiping(Vec<u8>);

impl AsRef<[u8]> for Wiping {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiping {
    fn drop(&mut self) {
        self.0.fill(0);
        // Or the compiler would leave out what nobody reads.
        std::hint::black_box(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shared_as_they_are() {
        let bytes = wiping(b"secret".to_vec());
        assert_eq!((&bytes[..], &bytes.slice(1..3)[..]), (&b"secret"[..], &b"ec"[..]));
    }
}
