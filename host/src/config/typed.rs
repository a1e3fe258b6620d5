//! What the config says beside its keys: the defaults of this machine, the flags that stand for a key, and what holds for a
//! provider without a block.

use std::sync::LazyLock;

use super::addresses;
use super::{Config, ConfigError, Fault, Paths, Provider, Server};

impl Config {
    /// What holds without any file.
    pub fn defaults(paths: &Paths) -> Self {
        let mut config = Config::default();
        config.plugins.dir = paths.plugins_dir();
        config
    }

    /// What `--listen` says, in place of `server.listen`, under the same rule: beyond this machine only with keys.
    pub fn listen_on(&mut self, text: &str) -> Result<(), ConfigError> {
        let Some(addresses) = addresses::listen(text) else {
            let (key, text) = ("--listen".to_owned(), text.to_owned());
            return Err(ConfigError::Flag(Fault::Listen { key, text }));
        };
        self.server.listen = addresses;
        self.server.listen_named = true;
        self.check_exposure("--listen")
    }

    /// Keeps to the addresses of a gateway that runs, whatever the config says by now: under the same rule.
    pub fn listen_still(&mut self, running: &Server) -> Result<(), ConfigError> {
        self.server.listen.clone_from(&running.listen);
        self.server.listen_named = running.listen_named;
        self.check_exposure("server.keys")
    }

    fn check_exposure(&self, key: &str) -> Result<(), ConfigError> {
        let open = self.server.listen.iter().find(|address| !address.ip().is_loopback());
        match open.filter(|_| self.server.keys.is_empty()) {
            Some(open) => Err(ConfigError::Flag(Fault::Exposed { key: key.to_owned(), address: open.to_string() })),
            None => Ok(()),
        }
    }

    /// What holds for a provider, with or without a block of its own.
    pub fn provider(&self, id: &str) -> &Provider {
        static NO_BLOCK: LazyLock<Provider> = LazyLock::new(Provider::default);
        self.providers.get(id).unwrap_or(&NO_BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Position, Timeouts};
    use super::*;

    fn config() -> Config {
        Config::defaults(&Paths::for_tests())
    }

    #[test]
    fn a_gateway_that_others_can_reach_takes_no_config_without_keys() {
        let mut running = config();
        running.server.keys.push("a-key-of-sixteen".into());
        running.listen_on("0.0.0.0:4356").unwrap();
        let mut next = config();
        let refused = next.listen_still(&running.server).unwrap_err().to_string();
        assert!(refused.contains("`server.keys`: 0.0.0.0:4356 can be reached"), "{refused}");
        next.server.keys.push("another-key-of-sixteen".into());
        next.listen_still(&running.server).unwrap();
        assert_eq!(next.server.listen, running.server.listen);
    }

    #[test]
    fn a_block_that_only_moved_in_the_file_says_the_same() {
        let block = Provider { api_key: Some("sk-1".into()), ..Provider::default() };
        let moved = Provider { position: Position { line: 7, column: 3 }, ..block.clone() };
        assert!(block.says_the_same_as(&moved));
        for other in [
            Provider { api_key: Some("sk-2".into()), ..block.clone() },
            Provider { api_key: None, ..block.clone() },
            Provider { enabled: false, ..block.clone() },
            Provider { priority: 1, ..block.clone() },
            Provider {
                timeouts: Timeouts { total: Some(Duration::from_secs(1)), ..Timeouts::default() },
                ..block.clone()
            },
        ] {
            assert!(!block.says_the_same_as(&other), "{other:?}");
        }
    }
}
