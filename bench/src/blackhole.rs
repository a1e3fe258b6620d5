//! A list of two targets whose first is a black hole: its system neither takes a connection nor refuses it. Called by
//! `run` once. An open loop counts what its clients see of it; an error is a figure here, and ends nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::child::{Gateway, Program};
use crate::clients::{Clients, Tally, usual_calls};
use crate::report::{Comparison, Row};
use crate::table::{self, Section};

/// The component that stands for the provider that is down: one that needs no credential.
const DEAD: &str = "echo";
/// A request that has no answer by then is an error.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// A connection that is not made by then is not made at all, on loopback.
const HANGS: Duration = Duration::from_millis(1500);

/// Measures both loads through a gateway of its own, so that nothing is known of the dead target when it begins.
pub async fn measure(
    program: Program,
    components: &Path,
    healthy: SocketAddr,
    quick: bool,
) -> Result<(Vec<Row>, Vec<String>)> {
    let hole = BlackHole::dig().await?;
    let names = |provider: &str| format!("{provider}:*");
    let files = Gateway::new(program, healthy, None)?
        .with_component(components, DEAD, hole.addr)?
        .with_model("dead-first-*", &[&names(DEAD), &names(table::BUILT_IN)]);
    let (gateway, _) = files.start()?;
    let clients = Clients::new(gateway.addr, ANSWER_WITHIN);
    let short = |span| if quick { span / 4 } else { span };
    let loads = async {
        // What the first requests load is not the dead target's doing. That one is not asked, so nothing is known of it.
        let calls = usual_calls(files.model_prefix());
        clients.load(&calls, table::RATE, table::WARM_UP_SPAN).await?;
        let alone = clients.load(&calls, table::RATE, short(table::HEALTHY_SPAN)).await?;
        let both = clients.load(&usual_calls("dead-first-"), table::RATE, short(table::BLACKHOLE_SPAN)).await?;
        anyhow::Ok((alone, both))
    };
    let (alone, both) = loads.await.map_err(|error| anyhow!("{error:#}\n{}", files.last_words()))?;
    hole.check().await.context("after the load")?;
    Ok((rows(&alone, &both), notes(&alone, &both)))
}

/// A listener whose backlog is full.
struct BlackHole {
    addr: SocketAddr,
    _listener: TcpListener,
    _filling: Vec<TcpStream>,
}

impl BlackHole {
    /// Listens without accepting, and connects until nothing gets in.
    async fn dig() -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(1)?;
        let addr = listener.local_addr()?;
        let mut filling = Vec::new();
        // Twice in a row: a machine that stood still for a moment is not full.
        let mut hung = 0;
        while hung < 2 {
            match tokio::time::timeout(HANGS, TcpStream::connect(addr)).await {
                Err(_) => hung += 1,
                Ok(stream) => {
                    hung = 0;
                    filling.push(stream.context("fill the backlog")?);
                }
            }
            if filling.len() > 64 {
                bail!("this system goes on taking connections that nobody accepts: it has no full backlog to measure");
            }
        }
        Ok(Self { addr, _listener: listener, _filling: filling })
    }

    /// That a connection hangs, rather than being made or refused.
    async fn check(&self) -> Result<()> {
        match tokio::time::timeout(HANGS, TcpStream::connect(self.addr)).await {
            Err(_) => Ok(()),
            Ok(Ok(_)) => bail!("the black hole at {} took a connection: nothing was measured", self.addr),
            Ok(Err(error)) => bail!("the black hole at {} refuses: {error}. Nothing was measured", self.addr),
        }
    }
}

fn rows(alone: &Tally, both: &Tally) -> Vec<Row> {
    let row = |comparison, title: &str, unit, target, figure| {
        let title = format!("500/s, first target a black hole: {title}");
        Row { target, gateway: vec![figure], ..Row::of_gateway(Section::Blackhole, comparison, title, unit) }
    };
    let (count, itself) = (Comparison::Count, Comparison::Itself);
    let mut rows = vec![
        row(count, "requests", "requests", None, both.asked as f64),
        row(count, "client errors", "errors", Some(0.0), both.errors as f64),
        row(count, "requests that waited on the dead one", "requests", None, both.waited as f64),
        row(itself, "their share", "%", Some(table::WAITED_TARGET), both.share(both.waited)),
        row(itself, "their longest wait", "ms", None, both.longest_wait.as_secs_f64() * 1e3),
        row(itself, "answers slower than 100 ms", "%", None, both.share(both.slow)),
    ];
    for (name, quantile, _) in table::QUANTILES {
        rows.push(row(itself, name, "ms", None, both.milliseconds(quantile)));
        let title = format!("{name} of the same load on the healthy one alone");
        rows.push(row(itself, &title, "ms", None, alone.milliseconds(quantile)));
    }
    rows
}

fn notes(alone: &Tally, both: &Tally) -> Vec<String> {
    let first = |tally: &Tally, load: &str| {
        let error = tally.first_error.as_ref()?;
        Some(format!("{load}: {} of {} clients saw an error, the first: {error}", tally.errors, tally.asked))
    };
    [first(alone, "The healthy target alone"), first(both, "The black hole first")].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::tally;

    #[test]
    fn an_error_fails_its_row_and_more_than_one_in_a_hundred_who_waited_theirs() {
        let calm = || (0..198).map(|_| (1, Ok(Some(1))));
        let met = |both: &Tally| -> Vec<_> { rows(both, both).iter().filter_map(Row::met).collect() };
        assert_eq!(met(&tally(calm().chain([(500, Ok(Some(2))), (500, Ok(Some(2)))]))), [true, true]);
        assert_eq!(met(&tally(calm().chain((0..3).map(|_| (500, Ok(Some(2))))))), [true, false]);
        assert_eq!(met(&tally(calm().chain([(500, Err(anyhow!("502")))]))), [false, true]);
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_full_backlog_takes_no_connection_and_refuses_none() {
        let hole = BlackHole::dig().await.unwrap();
        hole.check().await.unwrap();
    }
}
