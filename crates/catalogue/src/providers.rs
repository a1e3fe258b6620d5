//! Whose models are vendored, and what the sources call them. `cargo xtask update-models` takes these and no others; a
//! look-up uses it only to know the vendors' names in `VENDOR/MODEL`.

/// A provider whose models are in the data.
#[derive(Clone, Copy, Debug)]
pub struct Vendored {
    /// Its id in BitRouter, by which the data has it.
    pub id: &'static str,
    /// Its ids in models.dev.
    pub models_dev: &'static [&'static str],
    /// Its id in genai-prices; empty where that has none.
    pub genai_prices: &'static str,
}

const fn vendored(id: &'static str, models_dev: &'static [&'static str], genai_prices: &'static str) -> Vendored {
    Vendored { id, models_dev, genai_prices }
}

/// All of them, by id.
pub const PROVIDERS: [Vendored; 48] = [
    vendored("anthropic", &["anthropic"], "anthropic"),
    vendored("azure-openai", &["azure"], "azure"),
    vendored("baseten", &["baseten"], "baseten"),
    vendored("bedrock", &["amazon-bedrock"], "aws"),
    vendored("cerebras", &["cerebras"], "cerebras"),
    vendored("chutes", &["chutes"], ""),
    vendored("cloudflare-workers-ai", &["cloudflare-workers-ai"], "cloudflare"),
    vendored("cohere", &["cohere"], "cohere"),
    vendored("dashscope", &["alibaba"], ""),
    vendored("databricks", &["databricks"], "databricks"),
    vendored("deepinfra", &["deepinfra"], ""),
    vendored("deepseek", &["deepseek"], "deepseek"),
    vendored("fireworks", &["fireworks-ai"], "fireworks"),
    vendored("github-copilot", &["github-copilot"], "github-copilot"),
    vendored("google", &["google"], "google"),
    vendored("groq", &["groq"], "groq"),
    vendored("huggingface", &["huggingface"], ""),
    vendored("kimi-code", &["kimi-for-coding"], ""),
    vendored("lmstudio", &["lmstudio"], ""),
    vendored("meta", &["meta", "llama"], "meta"),
    vendored("minimax", &["minimax"], "minimax"),
    vendored("mistral", &["mistral"], "mistral"),
    vendored("moonshot", &["moonshotai"], "moonshotai"),
    vendored("nebius", &["nebius"], ""),
    vendored("novita", &["novita-ai"], "novita"),
    vendored("nvidia", &["nvidia"], ""),
    vendored("ollama-cloud", &["ollama-cloud"], ""),
    vendored("openai", &["openai"], "openai"),
    vendored("opencode", &["opencode"], ""),
    vendored("opencode-go", &["opencode-go"], ""),
    vendored("openrouter", &["openrouter"], "openrouter"),
    vendored("ovhcloud", &["ovhcloud"], "ovhcloud"),
    vendored("perplexity", &["perplexity", "perplexity-agent"], "perplexity"),
    vendored("requesty", &["requesty"], ""),
    vendored("scaleway", &["scaleway"], ""),
    vendored("siliconflow", &["siliconflow"], ""),
    vendored("stepfun", &["stepfun-ai"], ""),
    vendored("tencent", &["tencent-tokenhub"], ""),
    vendored("together", &["togetherai"], "together"),
    vendored("upstage", &["upstage"], ""),
    vendored("v0", &["v0"], ""),
    vendored("vercel", &["vercel"], ""),
    vendored("vertex", &["google-vertex", "google-vertex-anthropic"], "google"),
    vendored("voyage", &[], "voyageai"),
    vendored("xai", &["xai"], "x-ai"),
    vendored("xiaomi", &["xiaomi"], ""),
    vendored("zai", &["zai"], "zai"),
    vendored("zai-coding-plan", &["zai-coding-plan"], ""),
];

/// The names before a `/` that are a vendor's, where they are not its provider's id.
pub(crate) const VENDORS: [(&str, &str); 6] = [
    ("mistralai", "mistral"),
    ("moonshotai", "moonshot"),
    ("meta-llama", "meta"),
    ("x-ai", "xai"),
    ("xai", "xai"),
    ("z-ai", "zai"),
];
