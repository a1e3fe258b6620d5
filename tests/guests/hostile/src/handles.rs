//! Handles that are not this guest's to use: guessed, dropped twice, used once dropped. What the bindings would never do
//! is done by the imports' own names.

#![expect(unsafe_code, reason = "it is how a component that nobody's bindings made would call")]

#[link(wasm_import_module = "bitrouter:host/document@0.1.0")]
unsafe extern "C" {
    #[link_name = "[method]document.kind"]
    fn kind(handle: i32, pointer: *const u8, length: usize, result: *mut u8);
    #[link_name = "[resource-drop]document"]
    fn drop_document(handle: i32);
}

/// Uses handles in the way of this name.
pub fn misuse(way: &str) {
    match way {
        "handle-guess" => read(77),
        "handle-zero" => read(0),
        "handle-negative" => read(-1),
        "handle-guess-drop" => release(77),
        "handle-drop-all" => (1..100).for_each(release),
        "handle-drop-twice" => (0..2).for_each(|_| release(1)),
        "handle-use-dropped" => {
            release(1);
            read(1);
        }
        "handle-bad-pointer" => unsafe { kind(1, usize::MAX as *const u8, 1 << 20, 16 as *mut u8) },
        "handle-bad-result" => unsafe { kind(1, 16 as *const u8, 0, usize::MAX as *mut u8) },
        _ => {}
    }
}

fn read(handle: i32) {
    let mut result = [0_u64; 16];
    unsafe { kind(handle, [].as_ptr(), 0, result.as_mut_ptr().cast()) }
}

fn release(handle: i32) {
    unsafe { drop_document(handle) }
}
