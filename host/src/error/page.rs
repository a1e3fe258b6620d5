//! A web page in the place of an answer, in words. The pipeline tells one from an answer of the API; errors say it.

/// What a page seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// It wants to know whether a person is there.
    Robots,
    /// It wants somebody to log in.
    Login,
    /// Any other.
    Other,
}

impl Page {
    /// What the rest of the sentence says, and what to do.
    pub(super) fn told(self) -> &'static str {
        match self {
            Page::Robots => {
                ", a check for robots it seems. It comes from something in front of the API, not from the API: wait a \
                 little, or use another network"
            }
            Page::Login => {
                ", one to log in at it seems. It comes from something in front of the API, not from the API: see whether \
                 this network or a proxy wants a login"
            }
            Page::Other => {
                ". It comes from something in front of the API, not from the API: try again, and see whether the origin \
                 is right and which proxy is in the way"
            }
        }
    }
}
