//! Linear memories that are kept after their instance is gone, so that they can be searched for what it was shown.
//!
//! The engine asks for one whenever it makes an instance. Nothing here may be searched while a guest still runs.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// The size of a page on every machine that this runs on, or a multiple of it.
const PAGE: usize = 64 << 10;

/// Hands out memories of a fixed capacity and keeps them all.
pub(crate) struct Recorder {
    capacity: usize,
    blocks: Mutex<Vec<Arc<Block>>>,
}

/// One memory. It is leaked, so that its bytes stay where they are for as long as the test runs.
struct Block {
    base: *mut u8,
    capacity: usize,
    size: AtomicUsize,
    /// True once the instance is gone.
    released: AtomicBool,
}

// SAFETY: `base` points to bytes that are never freed, and a `Block` touches them only in `Recorder::bytes`, which first
// checks that the one other user, the instance, is gone.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Recorder {
    /// A recorder of memories that can grow up to `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Recorder { capacity, blocks: Mutex::default() })
    }

    /// How many memories were made so far.
    pub(crate) fn made(&self) -> usize {
        self.blocks.lock().unwrap().len()
    }

    /// The content of every memory, once all instances are gone. None while one is still there.
    pub(crate) fn bytes(&self) -> Option<Vec<&'static [u8]>> {
        let blocks = self.blocks.lock().unwrap();
        let content = |block: &Arc<Block>| {
            block.released.load(Ordering::Acquire).then(|| {
                // SAFETY: the bytes are leaked and zeroed, `size` is at most their number, and the instance that wrote
                // them let go of the memory before it set `released`: nobody writes there any more.
                unsafe { std::slice::from_raw_parts(block.base, block.size.load(Ordering::Acquire)) }
            })
        };
        blocks.iter().map(content).collect()
    }
}

/// What the engine holds.
struct Handle(Arc<Block>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.released.store(true, Ordering::Release);
    }
}

// SAFETY: the bytes are zeroed, aligned to a page, a multiple of pages long, never moved and never freed. No guard is
// promised, which is checked: compiled code then checks every bound itself.
unsafe impl MemoryCreator for Recorder {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if guard != 0 || reserved.is_some_and(|reserved| reserved > self.capacity) || minimum > self.capacity {
            return Err(format!("no memory of {minimum} bytes, {reserved:?} reserved, guard {guard}"));
        }
        // Zeroed pages of the system, which cost nothing before they are touched.
        let bytes = Box::leak(vec![0_u8; self.capacity + PAGE].into_boxed_slice());
        let start = bytes.as_ptr().align_offset(PAGE);
        let block = Arc::new(Block {
            base: bytes[start..].as_mut_ptr(),
            capacity: self.capacity,
            size: AtomicUsize::new(minimum),
            released: AtomicBool::new(false),
        });
        self.blocks.lock().unwrap().push(Arc::clone(&block));
        Ok(Box::new(Handle(block)))
    }
}

// SAFETY: the pointer is good for `byte_capacity` bytes for ever, and the size never exceeds it.
unsafe impl LinearMemory for Handle {
    fn byte_size(&self) -> usize {
        self.0.size.load(Ordering::Acquire)
    }

    fn byte_capacity(&self) -> usize {
        self.0.capacity
    }

    fn grow_to(&mut self, size: usize) -> wasmtime::Result<()> {
        if size > self.0.capacity {
            return Err(wasmtime::Error::msg("the memory is at its capacity"));
        }
        self.0.size.store(size, Ordering::Release);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.base
    }
}
