//! The other end of a connection.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// The server, which does what it is told.
pub(super) struct Peer {
    pub(super) stream: DuplexStream,
    read: Vec<u8>,
}

impl Peer {
    pub(super) fn new(stream: DuplexStream) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// The arguments of the next command; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Vec<Vec<u8>>> {
        let count = self.number(b'*').await?;
        let mut arguments = Vec::with_capacity(count);
        for _ in 0..count {
            let length = self.number(b'$').await?;
            let mut argument = self.take(length + 2).await?;
            argument.truncate(length);
            arguments.push(argument);
        }
        Some(arguments)
    }

    async fn number(&mut self, sign: u8) -> Option<usize> {
        let end = loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                break end;
            }
            self.more().await?;
        };
        let line = self.take(end + 1).await?;
        assert_eq!(line[0], sign, "commands arrive whole and in order");
        let digits = std::str::from_utf8(&line[1..end - 1]).unwrap();
        Some(digits.parse().unwrap())
    }

    async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.read.len() < length {
            self.more().await?;
        }
        Some(self.read.drain(..length).collect())
    }

    async fn more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.read).await.unwrap();
        (read > 0).then_some(())
    }

    pub(super) async fn answer(&mut self, bytes: &[u8]) {
        let head = format!("${}\r\n", bytes.len());
        self.stream.write_all(head.as_bytes()).await.unwrap();
        self.stream.write_all(bytes).await.unwrap();
        self.stream.write_all(b"\r\n").await.unwrap();
    }

    /// Answers a command with what it has asked for.
    pub(super) async fn answer_to(&mut self, command: &[Vec<u8>]) {
        if command[0] == b"MGET" {
            let head = format!("*{}\r\n", command.len() - 1);
            self.stream.write_all(head.as_bytes()).await.unwrap();
        }
        for key in &command[1..] {
            self.answer(key).await;
        }
    }

    /// Answers so many commands, each with what it has asked for.
    pub(super) async fn echo(&mut self, commands: usize) {
        for _ in 0..commands {
            let command = self.next().await.expect("there is a command more");
            self.answer_to(&command).await;
        }
    }

    /// Answers everything until the other side has gone.
    pub(super) fn serve(mut self) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            while let Some(command) = self.next().await {
                self.answer_to(&command).await;
            }
        })
    }
}
