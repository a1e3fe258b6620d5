//! The one table of what comes from registries, and in which version: an end-to-end test must fail because we changed, not
//! because they did. Each is the newest at the time of writing, as `docs/dialects.md` and the captures have them.

/// What comes from PyPI, into one virtual environment.
pub(super) const PYTHON: [&str; 6] = [
    "openai==3.57.0",
    "anthropic==2.14.0",
    "google-genai==3.6.1",
    "botocore==1.44.8",
    "google-auth==2.63.0",
    "cryptography==50.0.2",
];

/// What some packages of npm are for.
pub(super) struct Npm {
    /// The folder below `target/e2e` that they have to themselves.
    pub(super) folder: &'static str,
    /// Each with its version behind the last `@`.
    pub(super) packages: &'static [&'static str],
    /// What the tests are told: this program of theirs, or the folder where there is none.
    pub(super) program: Option<&'static str>,
    pub(super) variable: &'static str,
    /// The modules of the tests that need them.
    pub(super) tests: &'static [&'static str],
}

/// What comes from npm: about 400 MB for each program.
pub(super) const NPM: [Npm; 5] = [
    Npm {
        folder: "codex",
        packages: &["@openai/codex@0.171.0"],
        program: Some("codex"),
        variable: "BITROUTER_E2E_CODEX",
        tests: &["codex_cli::", "codex_translated::", "shared_session::"],
    },
    Npm {
        folder: "claude-code",
        packages: &["@anthropic-ai/claude-code@2.1.332"],
        program: Some("claude"),
        variable: "BITROUTER_E2E_CLAUDE_CODE",
        tests: &["claude_code::"],
    },
    Npm {
        folder: "opencode",
        packages: &["opencode-ai@1.18.33"],
        program: Some("opencode"),
        variable: "BITROUTER_E2E_OPENCODE",
        tests: &["opencode::"],
    },
    Npm {
        folder: "gemini-cli",
        packages: &["@google/gemini-cli@0.61.0"],
        program: Some("gemini"),
        variable: "BITROUTER_E2E_GEMINI_CLI",
        tests: &["gemini_cli::"],
    },
    Npm {
        folder: "vercel-ai",
        packages: &[
            "ai@7.0.173",
            "@ai-sdk/openai@4.0.118",
            "@ai-sdk/openai-compatible@3.0.92",
            "@ai-sdk/anthropic@4.0.105",
            "@ai-sdk/google@4.0.121",
        ],
        program: None,
        variable: "BITROUTER_E2E_VERCEL_AI",
        tests: &["vercel_ai::"],
    },
];
