//! {{Name}} for BitRouter. Most of a provider is description.json; what it cannot say is code, and stands here.
//!
//! Each hook that wit/world.wit exports is a public function of this file: prepare, resume, explain, quota, interpret, shape; the
//! rewriter of streams is a type `Rewriter`.

const br = @import("bitrouter");

pub const panic = br.panic;

comptime {
    br.exports(@This());
}

/// Takes a member out that the API refuses; all else of the request is as described.
pub fn prepare(_: *const br.Call, body: ?br.Document) br.Error!br.Step {
    if (body) |document| {
        if (try document.kind("/user") != .absent) try document.patch(&.{br.remove("/user")});
    }
    return br.described();
}
