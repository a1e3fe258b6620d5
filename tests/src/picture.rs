//! A picture, as real clients read it from a file and show it to a model.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A PNG of 8 × 8 points, so small that no client makes it smaller.
pub const PNG: Picture =
    Picture("iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGP4z8CAFWEXHbQSACj/P8Fu7N9hAAAAAElFTkSuQmCC");

/// A picture in base64.
#[derive(Clone, Copy)]
pub struct Picture(&'static str);

impl Picture {
    /// The file.
    pub fn bytes(self) -> Vec<u8> {
        STANDARD.decode(self.0).unwrap()
    }

    /// The file as it stands in JSON.
    pub fn base64(self) -> &'static str {
        self.0
    }
}
