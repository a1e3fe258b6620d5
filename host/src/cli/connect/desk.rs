//! What is done to each client on this machine, and how it is told.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::print::Table;
use crate::connect::{
    CLIENTS, Change, Client, ConnectError, Connection, Gateway, Machine, Model, Plan, Pointing, Preview, Way,
};

/// A client as it is listed.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// Whether it is installed, as far as can be seen.
    pub(super) installed: bool,
    /// `here`, `elsewhere`, `own` (wherever its makers have it go), `unknown`, or `by-hand` for one that cannot be asked.
    pub(super) points: &'static str,
    /// The other address, or why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
    /// The file that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<PathBuf>,
    /// Whether `connect` wrote it.
    pub(super) connected: bool,
}

/// The machine, and where it is kept what was written.
pub(in crate::cli) struct Desk<'a> {
    pub(in crate::cli) machine: Machine<'a>,
    pub(in crate::cli) records: PathBuf,
}

impl Desk<'_> {
    pub(super) fn connection<'c>(&self, client: &'c Client) -> Connection<'c> {
        Connection::of(client, &self.records)
    }

    /// Whether one of its programs can be started, or a file of its settings is there.
    pub(super) fn is_installed(&self, client: &Client) -> bool {
        self.machine.has(client)
            || self.plan(client, &known()).is_some_and(|plan| {
                plan.is_ok_and(|plan| {
                    plan.files.iter().any(|file| file.path.exists() && !is_a_shells(file.path.as_path()))
                })
            })
    }

    /// The ids of the clients that are installed here.
    pub(in crate::cli) fn installed(&self) -> Vec<&'static str> {
        CLIENTS.into_iter().filter(|client| self.is_installed(client)).map(|client| client.id).collect()
    }

    fn plan(&self, client: &Client, gateway: &Gateway) -> Option<Result<Plan, ConnectError>> {
        match client.way {
            Way::Files(plan) => Some(plan(&self.machine, gateway)),
            Way::Steps(_) => None,
        }
    }

    /// All clients as they are listed.
    pub(super) fn rows(&self, gateway: &Gateway) -> Vec<Row> {
        CLIENTS.iter().map(|client| self.row(client, gateway)).collect()
    }

    pub(super) fn row(&self, client: &Client, gateway: &Gateway) -> Row {
        let gateway = match gateway.models.is_empty() {
            true => &Gateway { origin: gateway.origin.clone(), ..known() },
            false => gateway,
        };
        let connection = self.connection(client);
        let (id, name) = (client.id, client.name.trim_start_matches("the "));
        let installed = self.is_installed(client);
        let mut row = Row {
            id,
            name,
            installed,
            points: "by-hand",
            detail: None,
            file: None,
            connected: connection.is_recorded(),
        };
        let Some(plan) = self.plan(client, gateway) else { return row };
        let pointing = plan.and_then(|plan| {
            row.file = plan.files.first().map(|file| file.path.clone());
            connection.pointing(&plan, &gateway.origin)
        });
        (row.points, row.detail) = match pointing {
            Ok(Pointing::Here) => ("here", None),
            Ok(Pointing::Elsewhere(address)) => ("elsewhere", Some(address)),
            Ok(Pointing::Unset) => ("own", None),
            Err(error) => ("unknown", Some(error.to_string())),
        };
        row
    }

    pub(super) fn connect(&self, client: &Client, gateway: &Gateway) -> Result<String, ConnectError> {
        let plan = match (&client.way, self.plan(client, gateway)) {
            (_, Some(plan)) => plan?,
            (Way::Steps(steps), _) => return Ok(shown_steps(client, &steps(gateway))),
            (Way::Files(_), None) => return Ok(String::new()),
        };
        let change = self.connection(client).connect(&plan)?;
        let mut text = String::new();
        match change {
            Change::Written(files) => {
                for (at, file) in files.iter().enumerate() {
                    let path = file.path.display();
                    text += &match at {
                        0 => format!("{path} points at {} now", gateway.origin),
                        _ => format!("{path} is changed too"),
                    };
                    text += &match &file.copy {
                        Some(copy) => format!("; what it was is in {}.\n", copy.display()),
                        None => ".\n".to_owned(),
                    };
                    if let Some(variable) = file.key_by {
                        text += &format!(
                            "It is in a folder that Git keeps, so the gateway's key is not in it: set {variable} where you run {}.\n",
                            program(client)
                        );
                    }
                }
            }
            _ => text += &format!("{} points at {} already.\n", client.name, gateway.origin),
        }
        for variable in client.overruled_by.iter().filter(|name| self.machine.named(name).is_some()) {
            text += &format!("CAUTION: {variable} is set in this shell, and has its way before that: unset it.\n");
        }
        plan.notes.iter().for_each(|note| text += &format!("{note}\n"));
        text += &format!(
            "Next: bitrouter serve, then {}. To take it back: bitrouter connect {} --undo\n",
            program(client),
            client.id
        );
        Ok(text)
    }

    pub(super) fn preview(&self, client: &Client, gateway: &Gateway) -> Result<String, ConnectError> {
        let plan = match (&client.way, self.plan(client, gateway)) {
            (_, Some(plan)) => plan?,
            (Way::Steps(steps), _) => return Ok(shown_steps(client, &steps(gateway))),
            (Way::Files(_), None) => return Ok(String::new()),
        };
        let mut text = String::new();
        for Preview { path, is_there, lines } in self.connection(client).preview(&plan)? {
            text += &format!("{}{}\n", path.display(), if is_there { "" } else { " (a new file)" });
            for (place, value, replaces) in lines {
                text += &match (value, replaces) {
                    (Some(value), false) => format!("  + {place} = {value}\n"),
                    (Some(value), true) => format!("  ~ {place} = {value}\n"),
                    (None, _) => format!("  - {place}\n"),
                };
            }
        }
        text += "Nothing was written.\n";
        Ok(text)
    }

    pub(super) fn undo(&self, client: &Client) -> Result<String, ConnectError> {
        if let Way::Steps(_) = client.way {
            return Ok(format!(
                "{} is changed by hand alone: undo the steps of `bitrouter connect {}`.\n",
                client.name, client.id
            ));
        }
        let connection = self.connection(client);
        if !connection.is_recorded()
            && let Some(Ok(plan)) = self.plan(client, &known())
            && let Ok(Pointing::Elsewhere(_)) = connection.pointing(&plan, "\0")
            && let Some(file) = plan.files.first()
        {
            return Err(ConnectError::NotOurs { client: client.name, path: file.path.display().to_string() });
        }
        let (files, how) = match connection.undo()? {
            Change::Restored(files) => (files, "is again what it was before"),
            Change::TakenOut(files) => (files, "no longer points at BitRouter; your other changes are kept"),
            Change::Written(_) | Change::AlreadySo => (Vec::new(), ""),
        };
        let lines: String = files.iter().map(|file| format!("{} {how}.\n", file.display())).collect();
        Ok(if lines.is_empty() {
            format!("The files of {} are gone: there is nothing to undo.\n", client.name)
        } else {
            lines
        })
    }
}

/// A shell's own file says nothing of whether a client is installed.
fn is_a_shells(path: &std::path::Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".bashrc", ".zshrc", ".profile"].contains(&&*name)
}

/// What a client is started with, or called where that is in its own windows.
fn program(client: &Client) -> &'static str {
    client.programs.first().copied().unwrap_or(client.name)
}

fn shown_steps(client: &Client, steps: &[String]) -> String {
    let mut text = format!("{} is pointed at the gateway by hand:\n", client.name);
    for (at, step) in steps.iter().enumerate() {
        text += &format!("  {}. {step}\n", at + 1);
    }
    text
}

/// A gateway of which nothing but that it has a model matters, for finding files.
fn known() -> Gateway {
    Gateway { models: vec![Model { id: "model".to_owned(), context: None }], ..Gateway::default() }
}

pub(super) fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&["client", "name", "installed", "points", "file"]);
    for row in rows {
        let points = match (row.points, &row.detail) {
            ("own", _) => "-".to_owned(),
            ("elsewhere", Some(address)) => format!("at {address}"),
            ("unknown", Some(why)) => why.clone(),
            (points, _) => points.to_owned(),
        };
        let file = row.file.as_ref().map_or_else(|| "-".to_owned(), |file| file.display().to_string());
        table.row([row.id, row.name, if row.installed { "yes" } else { "no" }, &points, &file]);
    }
    table.text()
}
