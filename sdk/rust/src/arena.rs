//! The component's allocator: a bump arena inside the initial memory. Every hook allocates through it. It must never
//! grow the memory in the common case, because each growth is a change of the host's address space (mprotect, page
//! faults, TLB shootdowns), which costs more than the whole hook.
//!
//! An instance lives for one hook, so nothing is freed; only the block on top is given back or resized in place, which
//! is what a growing `Vec` or `String` needs. When the arena is full, or a rewriter has started (its instance lives as
//! long as a stream), the standard library's allocator takes over. Which of the two a block belongs to is told by its
//! address.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::ptr;

/// The arena's bytes. It is zeroed, so it adds nothing to the file, and only pages that are touched cost anything. It
/// holds the arguments of a call (settings and headers), a request, and some reads; larger hooks spill over.
const SIZE: usize = 256 * 1024;

#[global_allocator]
static ARENA: Arena = Arena { used: Cell::new(0), space: UnsafeCell::new(Space([0; SIZE])) };

/// Sends every later allocation to the allocator that frees. Called when a rewriter is made.
pub(crate) fn retire() {
    ARENA.used.set(SIZE);
}

#[repr(align(16))]
struct Space(#[expect(dead_code, reason = "only its address is used")] [u8; SIZE]);

struct Arena {
    used: Cell<usize>,
    space: UnsafeCell<Space>,
}

// SAFETY: a component's instance has one thread; the host does not compile components that use threads.
unsafe impl Sync for Arena {}

impl Arena {
    fn start(&self) -> *mut u8 {
        self.space.get().cast()
    }

    /// Where a block lies in the arena, or none if it is not of the arena.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        let offset = block.addr().wrapping_sub(self.start().addr());
        (offset < SIZE).then_some(offset)
    }
}

// SAFETY: blocks are disjoint, because `used` only falls when the block on top is given back; a block starts at a
// multiple of its alignment, because the address is rounded up and checked against the end; every block outside the
// arena came from `System` and goes back to it.
unsafe impl GlobalAlloc for Arena {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.start().addr();
        let offset = (base + self.used.get()).next_multiple_of(layout.align()) - base;
        if offset <= SIZE && layout.size() <= SIZE - offset && self.used.get() < SIZE {
            self.used.set(offset + layout.size());
            // SAFETY: the block ends inside the arena.
            return unsafe { self.start().add(offset) };
        }
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset(block) {
            Some(offset) if offset + layout.size() == self.used.get() && self.used.get() < SIZE => {
                self.used.set(offset)
            }
            Some(_) => {}
            // SAFETY: not of the arena, so of `System`.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = self.offset(block) else {
            // SAFETY: not of the arena, so of `System`.
            return unsafe { System.realloc(block, layout, size) };
        };
        let on_top = offset + layout.size() == self.used.get() && self.used.get() < SIZE;
        if on_top && size <= SIZE - offset {
            self.used.set(offset + size);
            return block;
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the size is not zero and fits its alignment by the caller's promise; the blocks are disjoint.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size());
            }
            new
        }
    }
}
