//! Which models a server on this machine says it serves: one `GET …/models`, under one short deadline.
//!
//! It must not ask anything that is not on this machine, follow it elsewhere, nor send it a key.

use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::time::timeout;

use crate::actors::{Reply, Scope, promise};
use crate::domain::failure::Failure;
use crate::domain::safe::Safe;
use crate::domain::settings::is_here;

/// How long a server has to answer: it is on this machine, and a list is not work.
pub const PATIENCE: Duration = Duration::from_millis(300);

/// Most bytes of a list that are read: hundreds of models fit.
const LIST_MAX: usize = 256 << 10;

/// Most models of a list that are kept.
const MODELS_MAX: usize = 50;

/// Longest name of a model that is kept, in characters.
const NAME_MAX: usize = 120;

/// The models that a server lists, or why there are none, in words.
pub type Models = Result<Vec<Safe>, Safe>;

/// Asks the server at an address of this machine; an address elsewhere is not asked.
pub fn models(scope: &Scope, base_url: &str) -> Reply<Models> {
    let (promise, reply) = promise("agents", scope.waker());
    if !is_here(base_url) {
        promise.keep(Ok(Err(Safe::line("it is not on this machine"))));
        return reply;
    }
    let address = format!("{base_url}/models");
    scope.answer(scope.cancel.clone(), promise, async move {
        let client =
            client().map_err(|error| Failure::BadReply { from: "the HTTP client".into(), why: error.to_string() })?;
        Ok(match timeout(PATIENCE, listed(&client, &address)).await {
            Ok(models) => models,
            Err(_) => Err(Safe::line(&format!("no answer in {} ms", PATIENCE.as_millis()))),
        })
    });
    reply
}

/// Makes a client that talks to this machine only. Without certificates it is made at once: what is here is not encrypted.
fn client() -> Result<Client, reqwest::Error> {
    // The first one stays; a second one would be the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(Policy::none()).no_proxy().tls_certs_only([]).build()
}

async fn listed(client: &Client, address: &str) -> Models {
    let mut response = match client.get(address).send().await {
        Err(error) if error.is_connect() => return Err(Safe::line("nothing listens there")),
        Err(_) => return Err(Safe::line("what listens there does not speak HTTP")),
        Ok(response) => response,
    };
    if !response.status().is_success() {
        return Err(Safe::line(&format!("what listens there answers {}", response.status().as_u16())));
    }
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        if body.len() + piece.len() > LIST_MAX {
            return Err(Safe::line("its list is too long"));
        }
        body.extend_from_slice(&piece);
    }
    named(&body).ok_or_else(|| Safe::line("what listens there lists no models"))
}

/// Reads a list of models as OpenAI's API has it: `{"data":[{"id":"…"}]}`.
fn named(body: &[u8]) -> Option<Vec<Safe>> {
    let list: Value = serde_json::from_slice(body).ok()?;
    let fits = |name: &&str| !name.is_empty() && name.chars().count() <= NAME_MAX;
    let named = list.get("data")?.as_array()?.iter().filter_map(|model| model.get("id")?.as_str());
    Some(named.filter(fits).take(MODELS_MAX).map(Safe::line).collect())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test waits for its future on a runtime of its own")]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;
    use crate::actors::Waker;

    /// Serves one connection, answers it so, and returns its address and what it was asked.
    fn server(answer: Option<String>) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let read = stream.read(&mut asked).unwrap();
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                // It hears the question and says nothing, until the other side hangs up.
                None => drop(stream.read(&mut [0; 16])),
            }
            String::from_utf8_lossy(&asked[..read]).into_owned()
        });
        (base, served)
    }

    fn ok(body: &str) -> Option<String> {
        Some(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()))
    }

    async fn ask(base: &str) -> Models {
        let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
        models(&scope, base).await.unwrap()
    }

    #[tokio::test]
    async fn a_server_that_lists_models_is_heard_and_its_names_are_safe() {
        let (base, served) =
            server(ok(r#"{"object":"list","data":[{"id":"qwen3:8b"},{"id":"\u001b[31mx"},{"no":1}]}"#));
        let models = ask(&base).await.unwrap();
        assert_eq!(models, [Safe::line("qwen3:8b"), Safe::line("\u{1b}[31mx")]);
        let asked = served.join().unwrap().to_lowercase();
        assert!(asked.starts_with("get /v1/models http/1.1"), "{asked}");
        assert!(!asked.contains("authorization"), "no key is sent: {asked}");
    }

    #[tokio::test]
    async fn whatever_else_listens_there_is_no_server_of_models() {
        let redirect = "HTTP/1.1 302 Found\r\nlocation: http://example.com/\r\ncontent-length: 0\r\n\r\n".to_owned();
        for (answer, why) in [
            (ok("<html>hello</html>"), "lists no models"),
            (ok(r#"{"data":{}}"#), "lists no models"),
            (Some(redirect), "answers 302"),
            (Some("SSH-2.0-x\r\n".to_owned()), "does not speak HTTP"),
            (ok(&format!(r#"{{"data":["{}"]}}"#, "x".repeat(LIST_MAX))), "too long"),
            (None, "no answer in 300 ms"),
        ] {
            let (base, _served) = server(answer);
            let said = ask(&base).await.unwrap_err();
            assert!(said.as_str().contains(why), "{said}");
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_where_nothing_listens_nor_away_from_here() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        drop(listener);
        assert_eq!(ask(&base).await, Err(Safe::line("nothing listens there")));
        assert_eq!(ask("http://192.0.2.1/v1").await, Err(Safe::line("it is not on this machine")));
    }

    #[test]
    fn a_list_is_cut_to_what_can_be_used() {
        let many: Vec<String> = (0..80).map(|n| format!(r#"{{"id":"m{n}"}}"#)).collect();
        let body = format!(r#"{{"data":[{{"id":"{}"}},{}]}}"#, "x".repeat(200), many.join(","));
        let models = named(body.as_bytes()).unwrap();
        assert_eq!(models.len(), MODELS_MAX);
        assert_eq!(models[0].as_str(), "m0", "a name that is too long is left out");
    }
}
