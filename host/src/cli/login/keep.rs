//! Keeping what a login came to, under a label that is free or the account's own.

use std::error::Error;
use std::io::{self, Read};
use std::process::ExitCode;

use bitrouter_contract::description::ApiKey;
use bitrouter_credential::Attachment;
use bitrouter_credential::accounts::DEFAULT_LABEL;
use bitrouter_credential::login::Way;
use bitrouter_credential::store::{NOTICED_WITHIN, Saved};
use bitrouter_credential::token_file::{Entry, Kind, StoredKey, StoredLogin, is_label};
use bitrouter_files::Timestamp;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::obtain::Obtained;
use super::{Run, who};
use crate::cli::Outcome;
use crate::cli::logout::{self, Revoked};
use crate::cli::print;
use crate::cli::terminal::Terminal;

impl Run<'_> {
    /// Stores a login, under the label unless another account has it.
    pub(super) async fn keep(&self, obtained: Obtained, mut label: String) -> Outcome {
        let Obtained { login, identity } = obtained;
        let mut replace = false;
        let before = loop {
            let before = self.store.read()?.find(self.id(), &label).cloned();
            let saved = self.store.save_login(self.id(), &label, login.clone(), &identity, replace);
            if saved.is_err() {
                // What cannot be kept must not stay good at the issuer.
                self.give_back(&login).await;
            }
            match saved? {
                Saved::New | Saved::Renewed | Saved::Replaced => break before,
                Saved::Taken { claims } => match self.settle(&label, &who(&claims)).await? {
                    Some(other) if other == label => replace = true,
                    Some(other) => label = other,
                    None => {
                        self.give_back(&login).await;
                        return Err(self.taken(&label, &who(&claims)).into());
                    }
                },
            }
        };
        if let Some(Entry { kind: Kind::Oauth(before), .. }) = before {
            let token =
                |login: &StoredLogin| login.refresh_token.as_ref().map(|token| token.expose_secret().to_owned());
            if token(&before) != token(&login) {
                self.give_back(&before).await;
            }
        }
        let others = self.store.labels_of(self.id(), &login.claims, &identity)?;
        for other in others.iter().filter(|other| **other != label) {
            print::note(&format!("note: the same account is stored as {}@{other} too", self.id()));
        }
        // Whoever reads that it is done finds the account in a running gateway.
        tokio::time::sleep(NOTICED_WITHIN).await;
        self.say_done(&label, &who(&login.claims))
    }

    /// Asks what to do about a label that another account has: the same label to replace it, another label, or nothing.
    async fn settle(&self, label: &str, holder: &str) -> Result<Option<String>, Box<dyn Error>> {
        if !Terminal::is_there() {
            return Ok(None);
        }
        let question = format!(
            "The label `{label}` is {holder}'s. Type another label, or `{label}` again to replace that account:"
        );
        loop {
            let typed = self.terminal.ask(&question).await;
            match typed.as_str() {
                "" => return Ok(None),
                typed if is_label(typed) => return Ok(Some(typed.to_owned())),
                _ => print::note("a label is 1 to 64 of the characters A-Z a-z 0-9 . _ @ + -"),
            }
        }
    }

    fn taken(&self, label: &str, holder: &str) -> String {
        let id = self.id();
        format!(
            "{id}@{label} is another account, {holder}: nothing was stored. Choose another label with --label, or free \
             this one: bitrouter logout {id} --label {label}"
        )
    }

    /// Revokes a login that is not kept, unless another program has it too.
    async fn give_back(&self, login: &StoredLogin) {
        if let Revoked::Failed(why) = logout::revoke(self.provider.accounts.login(), login, &self.issuer).await {
            print::note(&format!("note: the login that is not used any more could not be revoked: {why}"));
        }
    }

    /// Stores an API key.
    pub(super) async fn keep_key(&self, way: &Way, mut label: String) -> Outcome {
        let Way::ApiKey(auth) = way else {
            return Err("this way leads to no credential".into());
        };
        let key = self.read_key(auth)?;
        Attachment::new(&auth.attach, &key, &[]).map_err(|why| format!("{}: the key {why}", self.id()))?;
        let mut origins = Vec::new();
        for name in &auth.origins {
            origins.push((name.clone(), self.origin(name)?.clone()));
        }
        let is_same = |entry: &Entry| matches!(&entry.kind, Kind::ApiKey(known) if known.key.expose_secret() == key.expose_secret());
        while self.store.read()?.find(self.id(), &label).is_some_and(|entry| !is_same(entry)) {
            match self.settle(&label, "another key or account").await? {
                Some(other) if other == label => break,
                Some(other) => label = other,
                None => return Err(self.taken(&label, "or another key").into()),
            }
        }
        let mut entry = Entry::new(self.id(), &label, Kind::ApiKey(StoredKey::new(key.clone(), origins)));
        entry.created_at = Some(Timestamp::now().to_string());
        self.store.update(|file| file.put(entry))?;
        tokio::time::sleep(NOTICED_WITHIN).await;
        self.say_done(&label, "API key")
    }

    fn read_key(&self, auth: &ApiKey) -> Result<SecretString, Box<dyn Error>> {
        if Terminal::is_there() {
            if let Some(page) = &auth.create_url {
                print::note(&format!("Keys are made at {}", print::printable(page)));
            }
            return self.terminal.secret("API key (not shown)");
        }
        let mut bytes = Zeroizing::new(Vec::new());
        io::stdin().lock().take(64 << 10).read_to_end(&mut bytes)?;
        Ok(key_of(&bytes)?.into())
    }

    fn say_done(&self, label: &str, who: &str) -> Outcome {
        let id = self.id();
        let model = self.provider.plugin.description.models.first().map_or("MODEL", |model| model.id.as_str());
        let address = match label {
            DEFAULT_LABEL => format!("{id}:{model}"),
            label => format!("{id}@{label}:{model}"),
        };
        let gateway = self.setup.loaded.config.server.listen.first().map(ToString::to_string).unwrap_or_default();
        print::answer(&format!(
            "{id}@{label} is logged in: {}\nnext:\n  bitrouter route {}\n  bitrouter serve, then for clients: OPENAI_BASE_URL=http://{gateway}/v1\n",
            print::printable(who),
            print::printable(&address),
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The key that standard input holds, without the end of its line.
fn key_of(bytes: &[u8]) -> Result<&str, String> {
    const WANTED: &str = "What is wanted is the key alone, as plain text in UTF-8";
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
        return Err(format!("standard input is text in UTF-16, as PowerShell and Notepad write it. {WANTED}"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| format!("standard input is not text in UTF-8. {WANTED}"))?;
    let key = text.trim_end_matches(['\r', '\n']);
    match key.is_empty() {
        true => Err(format!("standard input holds no key. {WANTED}")),
        false => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_without_the_end_of_its_line() {
        for text in ["sk-1", "sk-1\n", "sk-1\r\n"] {
            assert_eq!(key_of(text.as_bytes()), Ok("sk-1"));
        }
    }

    #[test]
    fn input_that_is_no_text_is_told_with_what_is_wanted() {
        let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for (bytes, why) in [
            ([b"\xff\xfe".as_slice(), &utf_16("sk-canary")].concat(), "UTF-16"),
            (utf_16("sk-canary"), "UTF-16"),
            (b"\xfe\xff\0s\0k".to_vec(), "UTF-16"),
            (b"sk-\xe9canary".to_vec(), "not text in UTF-8"),
            (b"\r\n".to_vec(), "holds no key"),
            (Vec::new(), "holds no key"),
        ] {
            let error = key_of(&bytes).unwrap_err();
            assert!(
                error.starts_with("standard input") && error.contains(why) && error.contains("plain text"),
                "{error}"
            );
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
