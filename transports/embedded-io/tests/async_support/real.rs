//! A real server: private, on a free port, gone when the test is over.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub struct RealServer {
    child: Child,
    directory: PathBuf,
    pub address: SocketAddr,
}

impl RealServer {
    pub fn start() -> Self {
        // Another process may take the free port first: then the server ends at once.
        for _ in 0..5 {
            if let Some(server) = Self::try_start() {
                return server;
            }
        }
        panic!("redis-server does not start; try it by hand");
    }

    fn try_start() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("redwire-async-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let spawn = |program: &str| {
            Command::new(program)
                .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"])
                .args(["--save", "", "--appendonly", "no"])
                .current_dir(&directory)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        };
        let child = spawn("redis-server").or_else(|_| spawn("valkey-server")).unwrap_or_else(|error| {
            panic!("cannot start redis-server or valkey-server ({error}): apt-get install redis-server")
        });
        let mut server = RealServer { child, directory, address };
        let patience = Instant::now() + Duration::from_secs(10);
        while Instant::now() < patience {
            if server.child.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(address).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("redis-server does not accept connections");
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
