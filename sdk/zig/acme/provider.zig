//! acme, a provider of an API that is like none of the dialects: sdk/acme/README.md says what it is and what becomes of it.

const std = @import("std");
const br = @import("bitrouter");

pub const panic = br.panic;

comptime {
    br.exports(@This());
}

const speakers = [_][2][]const u8{
    .{ "system", "rules" },
    .{ "developer", "rules" },
    .{ "user", "guest" },
    .{ "assistant", "acme" },
};

const faults = [_]struct { []const u8, [:0]const u8, [:0]const u8 }{
    .{ "E_SLOW", "rate-limited", "account" },
    .{ "E_SPENT", "no-credit", "account" },
    .{ "E_TOKEN", "unauthorized", "account" },
    .{ "E_ENGINE", "model-not-found", "model" },
    .{ "E_LONG", "context-exceeded", "request" },
    .{ "E_BUSY", "overloaded", "model" },
};

pub fn prepare(call: *const br.Call, body: ?br.Document) br.Error!br.Step {
    const document = body orelse return br.described();
    const operation = br.slice(call.operation);
    if (br.same(operation, "generate")) return converse(call, document);
    return if (br.same(operation, "embeddings")) embed(document) else br.described();
}

fn turns(document: br.Document) br.Error!void {
    const unknown = br.not(br.on.isOneOf("/role", &.{ "system", "developer", "user", "assistant" }));
    for (try document.find("/messages/*", .{ .only = unknown, .limit = 1 })) |row| {
        return br.unsupported(br.join(&.{ "acme knows no message of the role at ", row.pointer(), "/role" }));
    }
    for (try document.find("/messages/*", .{ .only = br.on.isA("/content", .array) })) |row| {
        try joinParts(document, br.join(&.{ row.pointer(), "/content" }));
    }
    for (speakers) |names| {
        try document.each("/messages/*", br.on.is("/role", names[0]), &.{br.replace("/role", br.quote(names[1]))});
    }
    for ([_][2][]const u8{ .{ "/role", "/speaker" }, .{ "/content", "/words" } }) |names| {
        try document.each("/messages/*", br.on.isThere(names[0]), &.{br.move(names[0], names[1])});
    }
}

/// Makes a list of texts one text.
fn joinParts(document: br.Document, content: []const u8) br.Error!void {
    var all: []const u8 = "";
    const parts = try document.find(br.join(&.{ content, "/*" }), .{ .fields = &.{ "/type", "/text" }, .max_bytes = 1 << 20 });
    for (parts, 0..) |part, index| {
        const text = part.cell(1);
        if (!br.same(part.cell(0), "\"text\"") or text.len == 0 or text[0] != '"') {
            return br.unsupported(br.join(&.{ "acme takes texts only, not what is at ", part.pointer() }));
        }
        all = br.join(&.{ all, if (index > 0) "\n" else "", br.textAt(text, "") });
    }
    try document.patch(&.{br.replace(content, br.quote(all))});
}

fn converse(call: *const br.Call, document: br.Document) br.Error!br.Step {
    try turns(document);
    const wants_usage = br.same(try document.get("/stream_options/include_usage", 8), "true");
    var edits: br.List(br.Edit) = .{};
    var dropped: br.List([]const u8) = .{};
    edits.push(br.add("/options", "{}"));
    for (try document.keys("")) |name| {
        const place = br.pointerOf(name);
        if (br.same(name, "model")) {
            edits.push(br.move(place, "/engine"));
        } else if (br.same(name, "messages")) {
            edits.push(br.move(place, "/turns"));
        } else if (br.same(name, "max_tokens") or br.same(name, "max_completion_tokens")) {
            edits.push(br.move(place, "/options/limit"));
        } else if (br.same(name, "temperature")) {
            edits.push(br.move(place, "/options/heat"));
        } else {
            edits.push(br.remove(place));
            if (!br.same(name, "stream") and !br.same(name, "stream_options")) dropped.push(place);
        }
    }
    edits.push(br.add("/live", if (call.streaming) "true" else "false"));
    try document.patch(edits.items.items);
    var request = br.request("POST", "api", "/engines/{model}/converse");
    request.framing = br.str(if (call.streaming) "ndjson" else "json");
    request.dropped = br.dropped(dropped.items.items);
    if (wants_usage) request.memo = br.memo("usage");
    return br.rewrite(request, "sse");
}

fn embed(document: br.Document) br.Error!br.Step {
    var edits: br.List(br.Edit) = .{};
    var dropped: br.List([]const u8) = .{};
    for (try document.keys("")) |name| {
        const place = br.pointerOf(name);
        if (br.same(name, "model")) {
            edits.push(br.move(place, "/engine"));
        } else if (br.same(name, "input") and try document.kind(place) == .array) {
            edits.push(br.move(place, "/texts"));
        } else if (br.same(name, "input")) {
            edits.push(br.add("/texts", "[]"));
            edits.push(br.move(place, "/texts/-"));
        } else {
            edits.push(br.remove(place));
            dropped.push(place);
        }
    }
    try document.patch(edits.items.items);
    var request = br.request("POST", "api", "/engines/{model}/embed");
    request.dropped = br.dropped(dropped.items.items);
    return br.rewrite(request, "sse");
}

/// An answer whose status is none of 2xx, or an error event of a stream.
pub fn explain(trouble: *const br.Trouble, _: []const u8) ?br.Failure {
    const is_answer = trouble.tag == br.c.BITROUTER_PROVIDER_TYPES_TROUBLE_ANSWER;
    return fault(br.jsonAt(br.slice(if (is_answer) trouble.val.answer.body else trouble.val.event.data), "/fault"));
}

/// What a fault means; null where its code is new.
fn fault(json: []const u8) ?br.Failure {
    const code = br.textAt(json, "/code");
    for (faults) |known| {
        if (!br.same(code, known[0])) continue;
        var why = br.failureOf(known[1], known[2], br.textAt(json, "/why"));
        why.code = br.maybeText(code);
        why.retry_after_ms = br.maybe(if (br.wholeAt(json, "/wait")) |seconds| seconds * 1000 else null);
        return why;
    }
    return null;
}

/// Fails with a fault where there is nobody else to say what it means.
fn failBy(json: []const u8) br.Error {
    return br.failWith(fault(json) orelse br.failureOf("unavailable", "provider", br.textAt(json, "/why")));
}

pub fn quota(headers: br.c.fields, event: []const u8) ?[]const br.Window {
    var windows: br.List(br.Window) = .{};
    if (room(br.header(headers, "x-acme-room"))) |one| windows.push(one);
    if (br.same(br.textAt(event, "/type"), "quota")) {
        var one = br.window(br.textAt(event, "/of"));
        one.limit = br.maybe(br.wholeAt(event, "/most"));
        one.remaining = br.maybe(br.wholeAt(event, "/left"));
        one.resets_in_seconds = br.maybe(br.wholeAt(event, "/back_in"));
        windows.push(one);
    }
    return windows.items.items;
}

/// `requests=59/60 in 12`
fn room(text: []const u8) ?br.Window {
    const equals = std.mem.indexOf(u8, text, "=") orelse return null;
    const slash = std.mem.indexOf(u8, text, "/") orelse return null;
    const in = std.mem.indexOf(u8, text, " in ") orelse return null;
    if (equals > slash or slash > in) return null;
    var one = br.window(text[0..equals]);
    one.remaining = br.maybe(std.fmt.parseInt(u64, text[equals + 1 .. slash], 10) catch null);
    one.limit = br.maybe(std.fmt.parseInt(u64, text[slash + 1 .. in], 10) catch null);
    one.resets_in_seconds = br.maybe(std.fmt.parseInt(u64, text[in + 4 ..], 10) catch null);
    return one;
}

/// Empty where the description reads it.
pub fn interpret(side: []const u8, page: *const br.Answer) br.Error![]const u8 {
    const json = br.slice(page.body);
    if (!br.same(side, "plan") or page.status != 200) return "";
    const spent = br.wholeAt(json, "/spent") orelse return "";
    const most = br.wholeAt(json, "/of") orelse return "";
    if (most == 0) return "";
    var month = br.window("month");
    month.used_percent = .{ .is_some = true, .val = @as(f64, @floatFromInt(spent)) * 100 / @as(f64, @floatFromInt(most)) };
    month.limit = br.maybe(most);
    month.remaining = br.maybe(most -| spent);
    return br.usage(&.{month}, br.textAt(json, "/plan"));
}

pub fn shape(call: *const br.Call, _: []const u8, _: *const br.Head, body: br.Document) br.Error!void {
    const json = try body.get("/fault", 4096);
    if (json.len > 0) return failBy(json);
    var edits: br.List(br.Edit) = .{};
    if (br.same(br.slice(call.operation), "embeddings")) {
        for (try body.find("/vectors/*", .{}), 0..) |row, index| {
            const place = row.pointer();
            edits.push(br.move(br.join(&.{ place, "/values" }), br.join(&.{ place, "/embedding" })));
            edits.push(br.add(br.join(&.{ place, "/index" }), br.number(index)));
            edits.push(br.add(br.join(&.{ place, "/object" }), "\"embedding\""));
        }
        edits.push(br.move("/vectors", "/data"));
        edits.push(br.add("/object", "\"list\""));
        edits.push(br.add("/model", br.quote(br.slice(call.model))));
    } else {
        const why = reason(try body.getText("/why", 64));
        const message = "[{\"index\":0,\"message\":{\"role\":\"assistant\"},\"finish_reason\":";
        edits.push(br.add("/choices", br.join(&.{ message, why, "}]" })));
        edits.push(br.move("/words", "/choices/0/message/content"));
        edits.push(br.move("/engine", "/model"));
        edits.push(br.move("/at", "/created"));
        edits.push(br.add("/object", "\"chat.completion\""));
        edits.push(br.remove("/why"));
    }
    edits.push(br.add("/usage", usageOf(try body.get("/spent", 256))));
    edits.push(br.remove("/spent"));
    body.patch(edits.items.items) catch {
        const why = br.slice(br.caught().message);
        return br.fail("unavailable", "provider", br.join(&.{ "acme answered otherwise than it should: ", why }));
    };
}

/// A stream that is rewritten: a line in, a chunk of Chat Completions out.
pub const Rewriter = struct {
    wants_usage: bool,
    /// The members with which every chunk begins; it is kept beyond a push.
    head: []const u8 = "",

    pub fn init(_: *const br.Call, memo: []const u8, _: *const br.Head) Rewriter {
        return .{ .wants_usage = br.same(memo, "usage") };
    }

    pub fn push(self: *Rewriter, events: []const br.c.event, out: br.Events) br.Error!void {
        for (events) |event| {
            const line = br.slice(event.data);
            const kind = br.textAt(line, "/type");
            if (br.same(kind, "begin")) {
                self.begin(line);
                out.push(self.chunk("\"role\":\"assistant\",\"content\":\"\"", "null", ""));
            } else if (br.same(kind, "words")) {
                const words = br.join(&.{ "\"content\":", br.quote(br.textAt(line, "/words")) });
                out.push(self.chunk(words, "null", ""));
            } else if (br.same(kind, "end")) {
                self.end(line, out);
            } else if (br.same(kind, "fault")) {
                return failBy(br.jsonAt(line, "/fault"));
            }
        }
    }

    fn begin(self: *Rewriter, line: []const u8) void {
        const head = br.join(&.{
            "{\"id\":",                                           br.quote(br.textAt(line, "/id")),
            ",\"object\":\"chat.completion.chunk\",\"created\":", br.jsonAt(line, "/at"),
            ",\"model\":",                                        br.quote(br.textAt(line, "/engine")),
            ",",
        });
        std.heap.c_allocator.free(self.head);
        self.head = std.heap.c_allocator.dupe(u8, head) catch @panic("there is no memory left");
    }

    fn end(self: *Rewriter, line: []const u8, out: br.Events) void {
        const why = reason(br.textAt(line, "/why"));
        const usage = br.join(&.{ "\"usage\":", usageOf(br.jsonAt(line, "/spent")) });
        out.push(self.chunk("", why, if (self.wants_usage) "" else br.join(&.{ ",", usage })));
        if (self.wants_usage) out.push(br.join(&.{ self.head, "\"choices\":[],", usage, "}" }));
        out.push("[DONE]");
    }

    fn chunk(self: *Rewriter, delta: []const u8, why: []const u8, usage: []const u8) []const u8 {
        const choice = [_][]const u8{ "\"choices\":[{\"index\":0,\"delta\":{", delta, "},\"finish_reason\":", why, "}]" };
        return br.join(&.{ self.head, br.join(&choice), usage, "}" });
    }
};

fn reason(why: []const u8) []const u8 {
    return if (br.same(why, "limit")) "\"length\"" else "\"stop\"";
}

fn usageOf(spent: []const u8) []const u8 {
    const read = br.wholeAt(spent, "/read") orelse 0;
    const said = br.wholeAt(spent, "/said") orelse 0;
    return br.join(&.{
        "{\"prompt_tokens\":", br.number(read),        ",\"completion_tokens\":", br.number(said),
        ",\"total_tokens\":",  br.number(read + said), "}",
    });
}
