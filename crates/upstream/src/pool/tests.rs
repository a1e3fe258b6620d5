//! HTTP/1.1 connections between two requests: what comes over them meanwhile is nobody's.

use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::super::socket::Socket;
use super::*;

fn key() -> Key {
    (Scheme::HTTP, Authority::from_static("upstream.test"))
}

/// A connection and its far end.
async fn pair() -> (Connection<Stream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let far = listener.accept().await.unwrap().0;
    (Connection::new(MaybeHttpsStream::Http(TokioIo::new(Socket::new(near)))), far)
}

/// A connection in the pool, and its far end.
async fn idle(pool: &Pool) -> TcpStream {
    let (near, far) = pair().await;
    pool.put(key(), near);
    far
}

fn count(pool: &Pool) -> usize {
    pool.lock().get(&key()).map_or(0, |kept| kept.idle.len())
}

/// Waits until the pool, told by what it heard alone, keeps this many connections.
async fn keeps(pool: &Pool, most: usize) {
    while count(pool) > most {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(count(pool), most);
}

#[tokio::test]
async fn what_ends_or_speaks_while_it_is_idle_is_closed_soon() {
    let pool = Pool::start();
    let (silent, mut speaking, ending) = (idle(&pool).await, idle(&pool).await, idle(&pool).await);
    assert_eq!(count(&pool), 3);
    speaking.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
    keeps(&pool, 2).await;
    drop(ending);
    keeps(&pool, 1).await;
    drop(silent);
    keeps(&pool, 0).await;
}

#[tokio::test]
async fn the_last_used_of_those_that_have_rested_is_taken_and_a_young_one_only_where_there_is_no_other() {
    let pool = Pool::default();
    let _far = (idle(&pool).await, idle(&pool).await, idle(&pool).await);
    let now = Instant::now();
    let [long, rested, young] = [Duration::from_secs(9), Duration::from_secs(1), Duration::ZERO].map(|age| now - age);
    for (kept, since) in pool.lock().get_mut(&key()).unwrap().idle.iter_mut().zip([long, rested, young]) {
        kept.1 = since;
    }
    for left in [&[long, young][..], &[young], &[]] {
        assert!(pool.take(&key()).is_some());
        assert!(pool.lock()[&key()].idle.iter().map(|(_, since)| since).eq(left));
    }
    assert!(pool.take(&key()).is_none());
}

#[tokio::test]
async fn an_origin_that_sends_what_nobody_asked_for_again_and_again_keeps_no_connection() {
    let pool = Pool::default();
    let _kept = idle(&pool).await;
    for times in 1..=3 {
        assert_eq!(count(&pool), 1, "{times}");
        let (mut near, mut far) = pair().await;
        far.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while near.look(&mut Context::from_waker(Waker::noop())) == Seen::Silence {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        pool.put(key(), near);
    }
    assert_eq!(count(&pool), 0, "what it has said on the others may be as wrong");
    let _far = idle(&pool).await;
    assert_eq!(count(&pool), 0);
    // In ten minutes it is believed again.
    let later = Instant::now() + CAREFUL;
    let mut origins = pool.lock();
    let kept = origins.get_mut(&key()).unwrap();
    assert!(kept.is_believed(later) && !kept.count_surplus(later), "it begins anew");
}

#[tokio::test]
async fn an_origin_whose_idle_connections_time_out_is_believed() {
    let pool = Pool::start();
    for _ in 0..5 {
        let mut far = idle(&pool).await;
        far.write_all(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n").await.unwrap();
        keeps(&pool, 0).await;
    }
    let _far = idle(&pool).await;
    assert_eq!(count(&pool), 1);
}
