//! The betas of what is written: without them Anthropic refuses the members.

use super::super::{Request, ServerTool, ToolKind};

/// For `thinking.block_binding`.
const BLOCK_BINDING: &str = "thinking-binding-controls-2026-08-01";

/// The value of `anthropic-beta`, if anything needs it. A beta that has become general is taken all the same.
pub(in crate::translate::request) fn betas(request: &Request<'_>) -> Option<String> {
    let of_tools = request.tools.iter().filter_map(|tool| match tool.kind {
        ToolKind::Server(tool) => of_tool(tool),
        ToolKind::Function(_) | ToolKind::Custom(_) | ToolKind::Own => None,
    });
    let mut betas: Vec<&str> = request.states_missing.then_some(BLOCK_BINDING).into_iter().chain(of_tools).collect();
    betas.sort_unstable();
    betas.dedup();
    (!betas.is_empty()).then(|| betas.join(","))
}

fn of_tool(tool: ServerTool) -> Option<&'static str> {
    match tool {
        ServerTool::WebSearch => None,
        ServerTool::WebFetch => Some("web-fetch-2025-09-10"),
        ServerTool::CodeExecution => Some("code-execution-2025-08-25"),
    }
}
