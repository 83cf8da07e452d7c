//! The functions of the chat. A mistake of the caller is a `Failure::BadInput`, which becomes a 400 over HTTP.

use std::time::{SystemTime, UNIX_EPOCH};

use iii_sdk::errors::Error;
use iii_sdk::iii::IIIClient;
use iii_sdk::protocol::TriggerRequest;
use serde_json::{json, Value};
use uuid::Uuid;

const MOST_TEXT: usize = 2_000;
const MOST_NAME: usize = 80;

pub enum Failure {
    BadInput(String),
    Call(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Call(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::BadInput(message) => Error::Handler(message),
            Failure::Call(error) => error,
        }
    }
}

/// The ids of all functions, in no particular order.
pub const FUNCTIONS: [&str; 8] = [
    "chat::post",
    "chat::get",
    "chat::list",
    "chat::delete",
    "chat::broadcast",
    "presence::join",
    "presence::leave",
    "presence::list",
];

pub async fn call(iii: &IIIClient, function_id: &str, payload: Value) -> Result<Value, Error> {
    iii.trigger(TriggerRequest::new(function_id, payload)).await
}

/// Runs one of `FUNCTIONS`.
pub async fn run(iii: &IIIClient, id: &str, input: &Value) -> Result<Value, Failure> {
    let room = text(input, "room", MOST_NAME)?;
    match id {
        "chat::post" => post(iii, room, input).await,
        "chat::get" => Ok(call(iii, "stream::get", item("chat", room, text(input, "id", MOST_NAME)?)).await?),
        "chat::list" => Ok(call(iii, "stream::list", json!({ "stream_name": "chat", "group_id": room })).await?),
        "chat::delete" => {
            let result = call(iii, "stream::delete", item("chat", room, text(input, "id", MOST_NAME)?)).await?;
            Ok(json!({ "deleted": !result["old_value"].is_null() }))
        }
        "chat::broadcast" => broadcast(iii, room, input).await,
        "presence::join" => join(iii, room, text(input, "user", MOST_NAME)?).await,
        "presence::leave" => {
            let result = call(iii, "stream::delete", item("presence", room, text(input, "user", MOST_NAME)?)).await?;
            Ok(json!({ "left": !result["old_value"].is_null() }))
        }
        "presence::list" => Ok(call(iii, "stream::list", json!({ "stream_name": "presence", "group_id": room })).await?),
        other => Err(Failure::BadInput(format!("no function {other}"))),
    }
}

/// Stores a message. All subscribers of /stream/chat/{room} get a `create` as soon as it is stored.
async fn post(iii: &IIIClient, room: &str, input: &Value) -> Result<Value, Failure> {
    let id = Uuid::new_v4().to_string();
    let author = text(input, "author", MOST_NAME)?;
    let message = json!({ "id": id, "author": author, "text": text(input, "text", MOST_TEXT)?, "at": now() });
    let mut payload = item("chat", room, &id);
    payload["data"] = message.clone();
    call(iii, "stream::set", payload).await?;
    Ok(message)
}

/// Sends an event to all subscribers. It is not stored. Use events for data that nobody needs a moment later.
async fn broadcast(iii: &IIIClient, room: &str, input: &Value) -> Result<Value, Failure> {
    let kind = text(input, "type", MOST_NAME)?;
    let event = json!({ "stream_name": "chat", "group_id": room, "type": kind, "data": input["data"] });
    call(iii, "stream::send", event).await?;
    Ok(json!({ "sent": true }))
}

async fn join(iii: &IIIClient, room: &str, user: &str) -> Result<Value, Failure> {
    let member = json!({ "id": user, "since": now() });
    let mut payload = item("presence", room, user);
    payload["data"] = member.clone();
    call(iii, "stream::set", payload).await?;
    Ok(member)
}

fn item(stream: &str, room: &str, id: &str) -> Value {
    json!({ "stream_name": stream, "group_id": room, "item_id": id })
}

fn text<'a>(input: &'a Value, key: &str, most: usize) -> Result<&'a str, Failure> {
    match input[key].as_str() {
        Some(value) if !value.is_empty() && value.chars().count() <= most => Ok(value),
        _ => Err(Failure::BadInput(format!("{key} must have 1 to {most} characters"))),
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
