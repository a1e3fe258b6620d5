//! What a provider in Zig is written with, on top of the SDK of C: slices in the place of pointers, and errors. What functions here
//! return lives until the hook returns, and is never freed; what a rewriter keeps comes from `std.heap.c_allocator`.

const std = @import("std");
/// The contract's types, and provider.h.
pub const c = @import("c");

pub const Call = c.call;
pub const Answer = c.answer;
pub const Head = c.head;
pub const Trouble = c.trouble;
pub const Window = c.window;
pub const Step = c.step;
pub const Failure = c.failure;
pub const Condition = c.condition;
pub const Edit = c.edit;
pub const Request = c.request;

/// The hook fails; `fail` and the document say why.
pub const Error = error{Failed};

/// Memory until the hook returns.
pub const allocator: std.mem.Allocator = .{ .ptr = undefined, .vtable = &.{
    .alloc = take,
    .resize = std.mem.Allocator.noResize,
    .remap = std.mem.Allocator.noRemap,
    .free = std.mem.Allocator.noFree,
} };

fn take(_: *anyopaque, len: usize, alignment: std.mem.Alignment, _: usize) ?[*]u8 {
    if (alignment.toByteUnits() > 8) return null;
    return @ptrCast(c.memory_new(len));
}

/// A text of the contract as a slice.
pub fn slice(text: c.str) []const u8 {
    return if (text.len == 0) "" else text.ptr[0..text.len];
}

/// A slice as a text of the contract; it is not copied.
pub fn str(text: []const u8) c.str {
    return .{ .ptr = @constCast(text.ptr), .len = text.len };
}

/// Texts one behind the other.
pub fn join(texts: []const []const u8) []const u8 {
    return std.mem.concat(allocator, u8, texts) catch @panic("there is no memory left");
}

pub fn same(a: []const u8, b: []const u8) bool {
    return std.mem.eql(u8, a, b);
}

/// A whole number as a text.
pub fn number(value: u64) []const u8 {
    return slice(c.number(value));
}

/// A text as a JSON string, with its quotes.
pub fn quote(text: []const u8) []const u8 {
    return slice(c.quote(str(text)));
}

/// The value at a JSON pointer, as JSON; empty where there is none.
pub fn jsonAt(json: []const u8, pointer: [:0]const u8) []const u8 {
    return slice(c.json_at(str(json), pointer.ptr));
}

/// The string at a JSON pointer, decoded; empty where there is none.
pub fn textAt(json: []const u8, pointer: [:0]const u8) []const u8 {
    return slice(c.json_text_at(str(json), pointer.ptr));
}

/// The whole number at a JSON pointer.
pub fn wholeAt(json: []const u8, pointer: [:0]const u8) ?u64 {
    return std.fmt.parseInt(u64, jsonAt(json, pointer), 10) catch null;
}

/// The JSON pointer of a member of the top.
pub fn pointerOf(name: []const u8) []const u8 {
    return slice(c.pointer_of(str(name)));
}

/// Fails with this; the first failure of a hook counts. `return br.fail("overloaded", "model", "…");`
pub fn fail(kind: [:0]const u8, scope: [:0]const u8, message: []const u8) Error {
    return failWith(c.failure_of(kind.ptr, scope.ptr, str(message)));
}

pub fn failWith(why: Failure) Error {
    c.fail(why);
    return error.Failed;
}

pub fn unsupported(message: []const u8) Error {
    return fail("unsupported", "provider", message);
}

/// Forgets why the hook would fail, and answers it.
pub fn caught() Failure {
    var why: Failure = undefined;
    _ = c.caught(&why);
    return why;
}

pub fn failureOf(kind: [:0]const u8, scope: [:0]const u8, message: []const u8) Failure {
    return c.failure_of(kind.ptr, scope.ptr, str(message));
}

pub const Level = enum(c_int) { err, warn, info, debug };

pub fn log(level: Level, message: []const u8) void {
    c.say(@backingInt(level), str(message));
}

/// `pub const panic = br.panic;` in provider.zig: the log has the text of a panic, and then the instance traps.
pub const panic = std.debug.FullPanic(struct {
    fn told(message: []const u8, _: ?usize) noreturn {
        log(.err, join(&.{ "panic: ", message }));
        @trap();
    }
}.told);

pub fn header(fields: c.fields, name: [:0]const u8) []const u8 {
    return slice(c.header(fields, name.ptr));
}

/// A number that may be there, as the contract has it.
pub fn maybe(value: ?u64) @FieldType(Window, "limit") {
    return .{ .is_some = value != null, .val = value orelse 0 };
}

pub fn maybeText(value: []const u8) @FieldType(Failure, "code") {
    return .{ .is_some = true, .val = str(value) };
}

pub fn window(name: []const u8) Window {
    return c.window_of(str(name));
}

/// What `interpret` answers of a plan.
pub fn usage(windows: []const Window, plan: []const u8) []const u8 {
    return slice(c.usage_json(windows.len, windows.ptr, str(plan)));
}

/// The kinds of JSON.
pub const Kind = enum(u8) { object, array, string, number, boolean, null, absent };

pub fn add(path: []const u8, json: []const u8) Edit {
    return c.add(str(path), str(json));
}

pub fn replace(path: []const u8, json: []const u8) Edit {
    return c.replace(str(path), str(json));
}

pub fn remove(path: []const u8) Edit {
    return c.take_out(str(path));
}

pub fn move(source: []const u8, target: []const u8) Edit {
    return c.move(str(source), str(target));
}

pub fn copy(source: []const u8, target: []const u8) Edit {
    return c.copy(str(source), str(target));
}

/// A condition on the value at a pointer below a match.
pub const on = struct {
    pub fn is(at: []const u8, value: []const u8) Condition {
        return c.is(str(at), str(value));
    }
    pub fn isOneOf(at: []const u8, values: []const []const u8) Condition {
        var list = allocator.alloc(c.str, values.len) catch @panic("there is no memory left");
        for (values, 0..) |value, index| list[index] = str(quote(value));
        return c.is_one_of(str(at), list.len, list.ptr);
    }
    pub fn isA(at: []const u8, kind: Kind) Condition {
        return c.is_a(str(at), @backingInt(kind));
    }
    pub fn isThere(at: []const u8) Condition {
        return c.is_there(str(at));
    }
    pub fn beginsWith(at: []const u8, start: []const u8) Condition {
        return c.begins_with(str(at), str(start));
    }
};

/// The opposite.
pub fn not(condition: Condition) Condition {
    return c.not(condition);
}

/// One match of `find`.
pub const Row = struct {
    row: *const c.row,

    pub fn pointer(self: Row) []const u8 {
        return slice(self.row.pointer);
    }
    /// The cell's JSON; empty where it is absent or too long.
    pub fn cell(self: Row, index: usize) []const u8 {
        return slice(c.cell(self.row, index));
    }
};

pub const Find = struct {
    only: ?Condition = null,
    fields: []const []const u8 = &.{},
    max_bytes: u32 = 65536,
    limit: u32 = std.math.maxInt(u32),
};

/// The JSON body of a call, or a whole answer; it stays in the host.
pub const Document = struct {
    lent: c.document,

    fn checked(value: anytype) Error!@TypeOf(value) {
        return if (c.failed()) error.Failed else value;
    }

    pub fn kind(self: Document, pointer: []const u8) Error!Kind {
        return checked(@as(Kind, @fromBackingInt(@intCast(c.doc_kind(self.lent, str(pointer))))));
    }
    /// The value's JSON; empty where there is none.
    pub fn get(self: Document, pointer: []const u8, max_bytes: u32) Error![]const u8 {
        return checked(slice(c.doc_get(self.lent, str(pointer), max_bytes)));
    }
    /// The string there, decoded; empty where there is none.
    pub fn getText(self: Document, pointer: []const u8, max_bytes: u32) Error![]const u8 {
        return checked(slice(c.doc_text(self.lent, str(pointer), max_bytes)));
    }
    pub fn keys(self: Document, pointer: []const u8) Error![]const []const u8 {
        const found = try checked(c.doc_keys(self.lent, str(pointer)));
        const names = allocator.alloc([]const u8, found.len) catch @panic("there is no memory left");
        for (names, 0..) |*name, index| name.* = slice(found.ptr[index]);
        return names;
    }
    pub fn find(self: Document, pattern: []const u8, how: Find) Error![]const Row {
        var fields: c.strings = .{};
        for (how.fields) |field| c.push_str(&fields, str(field));
        const only: [*c]const Condition = if (how.only) |*condition| condition else null;
        const found = try checked(c.doc_find(self.lent, str(pattern), only, fields, how.max_bytes, how.limit));
        const rows = allocator.alloc(Row, found.len) catch @panic("there is no memory left");
        for (rows, 0..) |*one, index| one.* = .{ .row = @ptrCast(found.ptr + index) };
        return rows;
    }
    /// Applies all edits in their order, or none.
    pub fn patch(self: Document, list: []const Edit) Error!void {
        c.doc_patch(self.lent, .{ .ptr = @constCast(list.ptr), .len = list.len });
        return checked({});
    }
    /// Makes the same edits on every match, or none.
    pub fn each(self: Document, pattern: []const u8, only: ?Condition, list: []const Edit) Error!void {
        const condition: [*c]const Condition = if (only) |*one| one else null;
        c.doc_each(self.lent, str(pattern), condition, list.len, list.ptr);
        return checked({});
    }
};

/// A list that grows.
pub fn List(T: type) type {
    return struct {
        items: std.ArrayList(T) = .empty,

        pub fn push(self: *@This(), item: T) void {
            self.items.append(allocator, item) catch @panic("there is no memory left");
        }
    };
}

/// A request with the call's body, whose answer is one JSON document.
pub fn request(method: [:0]const u8, origin: [:0]const u8, path: [:0]const u8) Request {
    return c.request_of(method.ptr, origin.ptr, path.ptr);
}

pub fn dropped(pointers: []const []const u8) @FieldType(Request, "dropped") {
    var list: c.strings = .{};
    for (pointers) |pointer| c.push_str(&list, str(pointer));
    return list;
}

pub fn memo(value: []const u8) @FieldType(Request, "memo") {
    return c.memo_of(str(value));
}

pub fn described() Step {
    return c.described();
}

pub fn pass(one: Request) Step {
    return c.pass(one);
}

pub fn rewrite(one: Request, framing: [:0]const u8) Step {
    return c.rewrite(one, framing.ptr);
}

pub fn ask(one: Request, kept: []const u8, wait_ms: u32) Step {
    return c.ask(one, c.memo_of(str(kept)), wait_ms);
}

/// An answer without asking anybody, as JSON in the call's dialect.
pub fn reply(json: []const u8) Step {
    return c.reply(str(json));
}

/// What a rewriter writes to.
pub const Events = struct {
    list: [*c]c.events,

    pub fn push(self: Events, data: []const u8) void {
        c.push_event(self.list, str(data));
    }
};

/// Joins the hooks of a provider to the contract: `comptime { br.exports(@This()); }`. Those that are not there are not exported;
/// wit/world.wit has to say the same.
pub fn exports(comptime P: type) void {
    const hooks = struct {
        fn prepare(call: *const Call, doc: ?*const c.document) callconv(.c) Step {
            return P.prepare(call, lent(doc)) catch described();
        }
        fn @"resume"(call: *const Call, doc: ?*const c.document, kept: c.bytes, answer: *const Answer) callconv(.c) Step {
            return P.@"resume"(call, lent(doc), bytes(kept), answer) catch described();
        }
        fn explain(trouble: *const Trouble, kept: c.bytes, meaning: *Failure) callconv(.c) bool {
            meaning.* = P.explain(trouble, bytes(kept)) orelse return false;
            return true;
        }
        fn interpret(side: c.str, page: *const Answer) callconv(.c) c.str {
            return str(P.interpret(slice(side), page) catch "");
        }
        fn quota(headers: c.fields, event: c.str, windows: [*]Window, room: usize, count: *usize) callconv(.c) bool {
            const found = P.quota(headers, slice(event)) orelse return false;
            count.* = @min(found.len, room);
            @memcpy(windows[0..count.*], found[0..count.*]);
            return true;
        }
        fn shape(call: *const Call, kept: c.bytes, head: *const Head, doc: c.document) callconv(.c) void {
            P.shape(call, bytes(kept), head, .{ .lent = doc }) catch {};
        }
        fn rewriterNew(call: *const Call, kept: c.bytes, head: *const Head) callconv(.c) *anyopaque {
            const made = std.heap.c_allocator.create(P.Rewriter) catch @panic("there is no memory left");
            made.* = P.Rewriter.init(call, bytes(kept), head);
            return made;
        }
        fn rewriterPush(self: *anyopaque, list: [*]const c.event, count: usize, out: [*c]c.events) callconv(.c) void {
            const rewriter: *P.Rewriter = @ptrCast(@alignCast(self));
            rewriter.push(list[0..count], .{ .list = out }) catch {};
        }
        fn rewriterFinish(self: *anyopaque, out: [*c]c.events) callconv(.c) void {
            const rewriter: *P.Rewriter = @ptrCast(@alignCast(self));
            rewriter.finish(.{ .list = out }) catch {};
        }
        fn lent(doc: ?*const c.document) ?Document {
            return if (doc) |one| .{ .lent = one.* } else null;
        }
        fn bytes(list: c.bytes) []const u8 {
            return if (list.len == 0) "" else list.ptr[0..list.len];
        }
    };
    const names = .{ "prepare", "resume", "explain", "interpret", "quota", "shape" };
    for (names) |name| {
        if (@hasDecl(P, name)) @export(&@field(hooks, name), .{ .name = name });
    }
    if (@hasDecl(P, "Rewriter")) {
        @export(&hooks.rewriterNew, .{ .name = "rewriter_new" });
        @export(&hooks.rewriterPush, .{ .name = "rewriter_push" });
        if (@hasDecl(P.Rewriter, "finish")) @export(&hooks.rewriterFinish, .{ .name = "rewriter_finish" });
    }
}
