//! The JSON that `interpret` returns, written. Providers call it with what they read of a page; the names of the members
//! are those of `description.schema.json`.

use std::borrow::Cow;

use crate::{Window, quote};

/// `{"models": […]}`: each model's id, and its context window in tokens where that is known.
pub fn models_json<'a>(models: impl IntoIterator<Item = (Cow<'a, str>, Option<u64>)>) -> String {
    let models = models.into_iter().map(|(id, window)| {
        let window = window.map_or(String::new(), |tokens| [",\"context_window\":", &tokens.to_string()].concat());
        ["{\"id\":", &quote(&id), &window, "}"].concat()
    });
    ["{\"models\":[", &models.collect::<Vec<_>>().join(","), "]}"].concat()
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
        let json = models_json([("a\"b".into(), Some(5)), ("c".into(), None)]);
        assert_eq!(json, r#"{"models":[{"id":"a\"b","context_window":5},{"id":"c"}]}"#);
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
