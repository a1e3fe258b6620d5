//! Keeping what a login came to, under a label that is free or the account's own.

use std::error::Error;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use bitrouter_contract::Origin;
use bitrouter_contract::description::{ApiKey, Auth, Secret};
use bitrouter_credential::Attachment;
use bitrouter_credential::accounts::DEFAULT_LABEL;
use bitrouter_credential::found::{self, Secrets};
use bitrouter_credential::login::Way;
use bitrouter_credential::store::{NOTICED_WITHIN, Saved};
use bitrouter_credential::token_file::{Entry, Kind, StoredKey, StoredLogin, StoredSecrets, is_label};
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

    /// Stores what the user has: a key, several secrets or a key file.
    pub(super) async fn keep_key(&self, way: &Way, mut label: String) -> Outcome {
        let (kind, what) = match way {
            Way::ApiKey(auth) => {
                let key = self.read_key(auth)?;
                Attachment::new(&auth.attach, &key, &[]).map_err(|why| format!("{}: the key {why}", self.id()))?;
                (Kind::ApiKey(StoredKey::new(key, self.origins(&auth.places.origins, None)?)), "API key".to_owned())
            }
            Way::Secrets(auth) => {
                let secrets = self.read_secrets(auth)?;
                found::check_secrets(auth, &secrets).map_err(|why| format!("{}: {why}", self.id()))?;
                let names: Vec<String> = secrets.iter().map(|(name, _)| name.clone()).collect();
                let origins = self.origins(auth.origins(), auth.issuer())?;
                (Kind::Secrets(StoredSecrets::new(auth.method(), secrets, origins)), print::list(&names))
            }
            Way::KeyFile(google) => {
                let text = self.read_key_file().await?;
                let url = google.token_url(self.origin(&google.origin)?)?;
                found::check_key_file(&text, &url).map_err(|why| format!("{}: the key file {why}", self.id()))?;
                let secrets = vec![(found::KEY_FILE.to_owned(), text)];
                let origins = self.origins(&google.places.origins, Some(&google.origin))?;
                (Kind::Secrets(StoredSecrets::new(GOOGLE, secrets, origins)), "key file".to_owned())
            }
            Way::Browser(..) | Way::Paste(..) | Way::Device(..) | Way::Import(..) => {
                return Err("this way leads to no credential".into());
            }
        };
        while self.store.read()?.find(self.id(), &label).is_some_and(|entry| !is_same(&entry.kind, &kind)) {
            match self.settle(&label, "another key or account").await? {
                Some(other) if other == label => break,
                Some(other) => label = other,
                None => return Err(self.taken(&label, "or another key").into()),
            }
        }
        let mut entry = Entry::new(self.id(), &label, kind);
        entry.created_at = Some(Timestamp::now().to_string());
        self.store.update(|file| file.put(entry))?;
        tokio::time::sleep(NOTICED_WITHIN).await;
        self.say_done(&label, &what)
    }

    /// The origins that a credential is bound to from now on: where it goes, and where tokens are made of it.
    fn origins(&self, names: &[String], issuer: Option<&str>) -> Result<Vec<(String, Origin)>, Box<dyn Error>> {
        let names = names.iter().map(String::as_str).chain(issuer);
        let mut origins: Vec<(String, Origin)> = Vec::new();
        for name in names {
            if !origins.iter().any(|(known, _)| known == name) {
                origins.push((name.to_owned(), self.origin(name)?.clone()));
            }
        }
        Ok(origins)
    }

    /// Several secrets, each asked for, or a line of standard input for each.
    fn read_secrets(&self, auth: &Auth) -> Result<Secrets, Box<dyn Error>> {
        if Terminal::is_there() {
            if let Some(page) = auth.create_url() {
                print::note(&format!("They are found at {}", print::printable(page)));
            }
            let ask = |secret: &Secret| {
                let typed = self.terminal.secret(&format!("{} (not shown)", print::printable(secret.asked())))?;
                let left_out = secret.optional && typed.expose_secret().is_empty();
                Ok((!left_out).then(|| (secret.name.clone(), typed)))
            };
            return auth.secrets().iter().filter_map(|secret| ask(secret).transpose()).collect();
        }
        let bytes = read_stdin()?;
        let lines = key_of(&bytes)?.lines().filter(|line| !line.trim().is_empty());
        let pair = |line: &str| {
            let (name, value) = line.split_once('=').ok_or("a line of standard input is not NAME=VALUE")?;
            Ok((name.trim().to_owned(), SecretString::from(value)))
        };
        lines.map(pair).collect()
    }

    async fn read_key_file(&self) -> Result<SecretString, Box<dyn Error>> {
        let asked;
        let path = match self.file {
            Some(path) => path,
            None => {
                asked = PathBuf::from(self.terminal.ask("Where is the key file?").await);
                &asked
            }
        };
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(text.into())
    }

    fn read_key(&self, auth: &ApiKey) -> Result<SecretString, Box<dyn Error>> {
        if Terminal::is_there() {
            if let Some(page) = &auth.places.create_url {
                print::note(&format!("Keys are made at {}", print::printable(page)));
            }
            return self.terminal.secret("API key (not shown)");
        }
        Ok(key_of(&read_stdin()?)?.into())
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

/// The method of key files, as descriptions name it.
const GOOGLE: &str = "google-service-account";

fn read_stdin() -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    io::stdin().lock().take(64 << 10).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a label has these secrets already.
fn is_same(known: &Kind, new: &Kind) -> bool {
    fn text(secret: &SecretString) -> &str {
        secret.expose_secret()
    }
    match (known, new) {
        (Kind::ApiKey(known), Kind::ApiKey(new)) => text(&known.key) == text(&new.key),
        (Kind::Secrets(known), Kind::Secrets(new)) => {
            let same = |((name, secret), (other_name, other)): (&(String, SecretString), &(String, SecretString))| {
                name == other_name && text(secret) == text(other)
            };
            let pairs = known.secrets.iter().zip(&new.secrets);
            known.method == new.method && known.secrets.len() == new.secrets.len() && pairs.into_iter().all(same)
        }
        _ => false,
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
