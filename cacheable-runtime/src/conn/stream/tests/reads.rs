//! Values that are asked for at once.

use super::*;
use crate::conn::stream::reads::{Bytes, LARGEST, Reads};

struct Scene {
    reads: Arc<Reads>,
    peer: Peer,
}

impl Scene {
    async fn new() -> Self {
        let (connection, peer) = gathered(1 << 16).await;
        Self {
            reads: Reads::new(connection),
            peer,
        }
    }

    fn ask(&self, key: &str) -> tokio::task::JoinHandle<RedisResult<Bytes>> {
        self.ask_until(key, None)
    }

    fn ask_until(
        &self,
        key: &str,
        until: Option<Instant>,
    ) -> tokio::task::JoinHandle<RedisResult<Bytes>> {
        let (reads, key) = (Arc::clone(&self.reads), key.to_owned());
        tokio::spawn(async move { reads.get(&key, until).await })
    }

    fn ask_for(&self, keys: usize) -> Vec<tokio::task::JoinHandle<RedisResult<Bytes>>> {
        (0..keys).map(|key| self.ask(&key.to_string())).collect()
    }

    /// The next command, as text.
    async fn next(&mut self) -> Vec<String> {
        let command = timeout(STUCK, self.peer.next()).await;
        let command = command.expect("a command is sent").unwrap();
        let text = |word: Vec<u8>| String::from_utf8(word).unwrap();
        command.into_iter().map(text).collect()
    }

    async fn answer(&mut self, command: &[String]) {
        let command: Vec<Vec<u8>> = command.iter().map(|word| word.clone().into()).collect();
        self.peer.answer_to(&command).await;
    }

    async fn say(&mut self, line: &str) {
        let line = format!("{line}\r\n");
        self.peer.stream.write_all(line.as_bytes()).await.unwrap();
    }

    /// One call alone, which has been sent and not answered.
    async fn busy(&mut self) -> tokio::task::JoinHandle<RedisResult<Bytes>> {
        let alone = self.ask("alone");
        assert_eq!(self.next().await, ["GET", "alone"]);
        alone
    }
}

async fn got(call: tokio::task::JoinHandle<RedisResult<Bytes>>) -> RedisResult<Bytes> {
    timeout(STUCK, call).await.expect("it ends").unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_is_alone_asks_alone_and_those_who_come_meanwhile_ask_together() {
    let mut scene = Scene::new().await;
    let alone = scene.busy().await;
    let others = scene.ask_for(3);
    let together = scene.next().await;
    assert_eq!(together, ["MGET", "0", "1", "2"]);
    // Also of those nobody waits for the one before.
    let late = scene.ask("late");
    assert_eq!(scene.next().await, ["MGET", "late"]);
    scene.answer(&["GET".into(), "alone".into()]).await;
    assert_eq!(got(alone).await.unwrap().unwrap(), b"alone");
    scene.answer(&together).await;
    scene.say("*1\r\n_").await;
    for (key, call) in others.into_iter().enumerate() {
        assert_eq!(
            got(call).await.unwrap().unwrap(),
            key.to_string().as_bytes()
        );
    }
    assert_eq!(got(late).await.unwrap(), None);
    // And alone again.
    let alone = scene.busy().await;
    scene.answer(&["GET".into(), "alone".into()]).await;
    got(alone).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_for_one_command_goes_in_several() {
    let mut scene = Scene::new().await;
    let alone = scene.busy().await;
    // More than all the batches that may be under way take.
    let others = scene.ask_for(6 * LARGEST);
    scene.say("$1\r\nx").await;
    let mut asked = 0;
    while asked < others.len() {
        let command = scene.next().await;
        assert!(command.len() - 1 <= LARGEST);
        asked += command.len() - 1;
        scene.answer(&command).await;
    }
    for (key, call) in others.into_iter().enumerate() {
        assert_eq!(
            got(call).await.unwrap().unwrap(),
            key.to_string().as_bytes()
        );
    }
    got(alone).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_is_told_to_all_who_asked_and_to_nobody_else() {
    let mut scene = Scene::new().await;
    let alone = scene.busy().await;
    let others = scene.ask_for(3);
    scene.next().await;
    scene.say("$1\r\nx").await;
    scene.say("-LOADING not yet").await;
    assert!(got(alone).await.is_ok());
    for call in others {
        assert_eq!(got(call).await.unwrap_err().code(), Some("LOADING"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_may_not_ask_for_several_asks_one_by_one() {
    let mut scene = Scene::new().await;
    let alone = scene.busy().await;
    let others = scene.ask_for(2);
    assert_eq!(scene.next().await[0], "MGET");
    scene.say("$1\r\nx").await;
    scene.say("-NOPERM no mget").await;
    for key in ["0", "1"] {
        let command = scene.next().await;
        assert_eq!(command, ["GET", key]);
        scene.answer(&command).await;
    }
    for (key, call) in others.into_iter().enumerate() {
        assert_eq!(
            got(call).await.unwrap().unwrap(),
            key.to_string().as_bytes()
        );
    }
    got(alone).await.unwrap();
    // From now on nobody tries.
    let calls = scene.ask_for(2);
    for _ in calls {
        let command = scene.next().await;
        assert_eq!(command[0], "GET");
        scene.answer(&command).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_takes_no_answer_of_others_along() {
    let mut scene = Scene::new().await;
    let alone = scene.busy().await;
    let mut others = scene.ask_for(3);
    let command = scene.next().await;
    let gone = others.remove(1);
    gone.abort();
    drop(gone.await);
    scene.say("$1\r\nx").await;
    scene.answer(&command).await;
    let values = [got(others.remove(0)).await, got(others.remove(0)).await];
    assert_eq!(values.map(|value| value.unwrap().unwrap()), [b"0", b"2"]);
    got(alone).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_long_enough_is_given_up_and_the_others_are_not() {
    let mut scene = Scene::new().await;
    let alone = scene.busy().await;
    let now = Instant::now();
    let in_ms = |ms| Some(now + Duration::from_millis(ms));
    let patient = scene.ask("patient");
    let calls = [100, 200, 300].map(|ms| scene.ask_until(&ms.to_string(), in_ms(ms)));
    let command = scene.next().await;
    assert_eq!(command, ["MGET", "patient", "100", "200", "300"]);
    // Behind it, and answered before it would be given up.
    let late = scene.ask_until("late", in_ms(400));
    assert_eq!(scene.next().await, ["MGET", "late"]);
    let [first, second, third] = calls;
    for given_up in [first, second] {
        assert!(got(given_up).await.unwrap_err().is_timeout());
    }
    let waited = tokio::time::Instant::now() - tokio::time::Instant::from_std(now);
    assert!(waited < Duration::from_millis(300), "{waited:?}");
    scene.say("$1\r\nx").await;
    scene.answer(&command).await;
    got(alone).await.unwrap();
    for (key, call) in [("patient", patient), ("300", third)] {
        assert_eq!(got(call).await.unwrap().unwrap(), key.as_bytes());
    }
    scene.answer(&["MGET".into(), "late".into()]).await;
    assert_eq!(got(late).await.unwrap().unwrap(), b"late");
    // And one that is alone.
    let until = Some(Instant::now());
    let alone = scene.ask_until("alone", until);
    assert!(got(alone).await.unwrap_err().is_timeout());
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_sent_is_given_up_in_time() {
    let mut scene = Scene::new().await;
    let alone = scene.busy().await;
    // More than all the batches that may be under way take, and no answer.
    let until = Some(Instant::now() + Duration::from_millis(100));
    let calls: Vec<_> = (0..6 * LARGEST)
        .map(|key| scene.ask_until(&key.to_string(), until))
        .collect();
    for call in calls {
        assert!(got(call).await.unwrap_err().is_timeout());
    }
    drop(alone);
}

/// `stay`: those whose batches are under way wait for ever; else they go away.
async fn is_given_up_behind_others_without_an_end(stay: bool) {
    let mut scene = Scene::new().await;
    let mut patient = vec![scene.busy().await];
    // Each leaves by itself, until as many as may be are under way.
    for key in 0..4 {
        patient.push(scene.ask(&key.to_string()));
        assert_eq!(scene.next().await, ["MGET", &key.to_string()]);
    }
    let until = Some(Instant::now() + Duration::from_millis(100));
    let calls = ["a", "b"].map(|key| scene.ask_until(key, until));
    tokio::task::yield_now().await;
    if !stay {
        patient.iter().for_each(tokio::task::JoinHandle::abort);
    }
    let began = tokio::time::Instant::now();
    for call in calls {
        assert!(got(call).await.unwrap_err().is_timeout());
    }
    assert!(began.elapsed() < Duration::from_millis(300));
    // Those who came first are answered, if they are still there.
    if stay {
        scene.say("$5\r\nalone").await;
        for key in 0..4 {
            scene.say(&format!("*1\r\n$1\r\n{key}")).await;
        }
        for call in patient {
            assert!(got(call).await.unwrap().is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_others_who_wait_for_ever_is_given_up_in_time() {
    is_given_up_behind_others_without_an_end(true).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_others_who_have_gone_is_given_up_in_time() {
    is_given_up_behind_others_without_an_end(false).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_leaves_nobody_waiting_who_was_sent_or_not() {
    let mut scene = Scene::new().await;
    let alone = scene.busy().await;
    // Some wait for their turn to be sent.
    let others = scene.ask_for(8 * LARGEST);
    for _ in 0..2 {
        scene.next().await;
    }
    let Scene { reads, peer } = scene;
    drop(peer);
    assert!(got(alone).await.is_err());
    for call in others {
        assert!(got(call).await.is_err());
    }
    // Nothing is left of it that would hold up the next one.
    let next = timeout(STUCK, reads.get("next", None)).await;
    assert!(next.expect("it ends").is_err());
}

#[test]
fn a_runtime_that_ends_leaves_nobody_waiting_elsewhere() {
    let ends = tokio::runtime::Runtime::new().unwrap();
    let scene = ends.block_on(Scene::new());
    let reads = Arc::clone(&scene.reads);
    let stays = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    stays.block_on(async {
        let mut calls = JoinSet::new();
        for key in 0..10 {
            let reads = Arc::clone(&reads);
            calls.spawn(async move { reads.get(&key.to_string(), None).await });
        }
        tokio::task::yield_now().await;
        ends.shutdown_background();
        let answers = timeout(STUCK, calls.join_all()).await.expect("all end");
        assert!(answers.iter().all(Result::is_err));
        let late = timeout(STUCK, reads.get("late", None)).await;
        assert!(late.expect("it ends").is_err());
    });
    drop(scene);
}

/// Batches end and begin at every possible moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_forgotten_between_two_batches() {
    let Scene { reads, peer } = Scene::new().await;
    let serves = peer.serve();
    let mut tasks = JoinSet::new();
    for task in 0..32 {
        let reads = Arc::clone(&reads);
        tasks.spawn(async move {
            for turn in 0..200 {
                let key = format!("{task}:{turn}");
                assert_eq!(
                    reads.get(&key, None).await.unwrap().unwrap(),
                    key.as_bytes()
                );
                if (task + turn) % 3 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    timeout(STUCK, tasks.join_all())
        .await
        .expect("all are answered");
    drop(reads);
    serves.await.unwrap();
}
