//! The JSON that `interpret` returns, written. Providers call it with what they read of a page; the names of the members
//! are those of `description.schema.json`.

use std::borrow::Cow;

use crate::{Window, quote};

impl Window {
    /// A window of which only the name is known yet.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            used_percent: None,
            limit: None,
            remaining: None,
            length_seconds: None,
            resets_at: None,
            resets_in_seconds: None,
            more: String::new(),
        }
    }
}

/// One model of a list.
pub struct Model<'a> {
    id: Cow<'a, str>,
    operations: &'a [&'a str],
    context_window: Option<u64>,
}

impl<'a> Model<'a> {
    /// A model of which only the id is known; the rest is taken from the description, if that has it.
    pub fn named(id: impl Into<Cow<'a, str>>) -> Self {
        Self { id: id.into(), operations: &[], context_window: None }
    }

    /// What it serves, such as `["generate"]` or `["embeddings"]`. Without it, what the description says of it, else
    /// everything that the provider serves.
    pub fn operations(mut self, operations: &'a [&'a str]) -> Self {
        self.operations = operations;
        self
    }

    /// The most tokens that a call may hold, where the page says it.
    pub fn context_window(mut self, tokens: impl Into<Option<u64>>) -> Self {
        self.context_window = tokens.into();
        self
    }

    fn json(self) -> String {
        let operations: Vec<String> = self.operations.iter().map(|name| quote(name)).collect();
        let operations = match operations.as_slice() {
            [] => String::new(),
            some => [",\"operations\":[", &some.join(","), "]"].concat(),
        };
        let window = self.context_window;
        let window = window.map_or(String::new(), |tokens| [",\"context_window\":", &tokens.to_string()].concat());
        ["{\"id\":", &quote(&self.id), &operations, &window, "}"].concat()
    }
}

/// `{"models": […]}`: a live list, which takes the place of the description's.
pub fn models_json<'a>(models: impl IntoIterator<Item = Model<'a>>) -> String {
    let models: Vec<String> = models.into_iter().map(Model::json).collect();
    ["{\"models\":[", &models.join(","), "]}"].concat()
}

/// `{"windows": […], "plan": "…"}`: how much of a plan is used.
pub fn usage_json(windows: &[Window], plan: &str) -> String {
    let windows = windows.iter().map(|window| {
        let mut json = ["{\"name\":", &quote(&window.name)].concat();
        let numbers = [
            ("used_percent", window.used_percent.map(hundredths)),
            ("limit", window.limit.map(|limit| limit.to_string())),
            ("remaining", window.remaining.map(|remaining| remaining.to_string())),
            ("length_seconds", window.length_seconds.map(|seconds| seconds.to_string())),
            ("resets_at", window.resets_at.map(|at| at.to_string())),
        ];
        for (name, value) in numbers {
            json.extend(value.iter().flat_map(|value| [",\"", name, "\":", value]));
        }
        json + "}"
    });
    ["{\"windows\":[", &windows.collect::<Vec<_>>().join(","), "],\"plan\":", &quote(plan), "}"].concat()
}

/// A number that is not negative, with at most two decimals: the standard library's way of writing any float would be a
/// tenth of a small component.
fn hundredths(number: f64) -> String {
    let hundredths = (number * 100.0 + 0.5) as u64;
    let (whole, tens, ones) = (hundredths / 100, hundredths / 10 % 10, hundredths % 10);
    match (tens, ones) {
        (0, 0) => whole.to_string(),
        (_, 0) => [&whole.to_string(), ".", &tens.to_string()].concat(),
        _ => [&whole.to_string(), ".", &tens.to_string(), &ones.to_string()].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_listed_with_what_is_known_of_them() {
        let models = [
            Model::named("a\"b").context_window(5),
            Model::named("c").operations(&["embeddings", "moderations"]),
            Model::named("d".to_owned()).context_window(None),
        ];
        let json = models_json(models);
        assert_eq!(
            json,
            r#"{"models":[{"id":"a\"b","context_window":5},{"id":"c","operations":["embeddings","moderations"]},{"id":"d"}]}"#
        );
        assert_eq!(models_json([]), r#"{"models":[]}"#);
    }

    #[test]
    fn usage_has_the_members_that_are_known() {
        let weekly = Window { used_percent: Some(42.5), resets_at: Some(9), ..Window::named("weekly") };
        let json = usage_json(&[weekly, Window::named("x")], "plus");
        assert_eq!(
            json,
            r#"{"windows":[{"name":"weekly","used_percent":42.5,"resets_at":9},{"name":"x"}],"plan":"plus"}"#
        );
    }

    #[test]
    fn a_share_is_written_as_json_writes_numbers() {
        for (number, text) in
            [(0.0, "0"), (7.0, "7"), (12.5, "12.5"), (99.99, "99.99"), (0.05, "0.05"), (100.0, "100"), (f64::NAN, "0")]
        {
            assert_eq!(hundredths(number), text);
        }
    }
}
