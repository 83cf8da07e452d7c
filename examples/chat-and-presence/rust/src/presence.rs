//! The backend of the `presence` stream. It keeps the members in the state, one scope for each room. The engine calls it for every read and
//! write of the stream, and publishes its answers to subscribers.
// Since 0.25 the SDK marks its stream provider as deprecated. This example uses it on purpose.
#![allow(deprecated)]

use async_trait::async_trait;
use iii_helpers::stream::{
    StreamDeleteInput, StreamDeleteResult, StreamGetInput, StreamListGroupsInput, StreamListInput, StreamSetInput, StreamSetResult,
    StreamUpdateInput, StreamUpdateResult,
};
use iii_sdk::errors::Error;
use iii_sdk::iii::IIIClient;
use iii_sdk::stream_provider::IStream;
use serde_json::{json, Value};

use crate::chat::call;

const PREFIX: &str = "presence/";

pub struct Presence {
    pub iii: IIIClient,
}

fn place(room: &str, user: &str) -> Value {
    json!({ "scope": format!("{PREFIX}{room}"), "key": user })
}

fn present(value: Value) -> Option<Value> {
    (!value.is_null()).then_some(value)
}

#[async_trait]
impl IStream for Presence {
    async fn get(&self, input: StreamGetInput) -> Result<Option<Value>, Error> {
        Ok(present(call(&self.iii, "state::get", place(&input.group_id, &input.item_id)).await?))
    }

    async fn set(&self, input: StreamSetInput) -> Result<Option<StreamSetResult>, Error> {
        let mut payload = place(&input.group_id, &input.item_id);
        payload["value"] = input.data.clone();
        let mut result = call(&self.iii, "state::set", payload).await?;
        Ok(Some(StreamSetResult { old_value: present(result["old_value"].take()), new_value: input.data }))
    }

    async fn delete(&self, input: StreamDeleteInput) -> Result<StreamDeleteResult, Error> {
        let old_value = present(call(&self.iii, "state::delete", place(&input.group_id, &input.item_id)).await?);
        Ok(StreamDeleteResult { old_value })
    }

    async fn list(&self, input: StreamListInput) -> Result<Vec<Value>, Error> {
        let members = call(&self.iii, "state::list", json!({ "scope": format!("{PREFIX}{}", input.group_id) })).await?;
        Ok(members.as_array().cloned().unwrap_or_default())
    }

    async fn list_groups(&self, _input: StreamListGroupsInput) -> Result<Vec<String>, Error> {
        let result = call(&self.iii, "state::list_groups", json!({})).await?;
        let groups = result["groups"].as_array().cloned().unwrap_or_default();
        Ok(groups.iter().filter_map(|group| group.as_str()?.strip_prefix(PREFIX).map(str::to_string)).collect())
    }

    /// The interface of the SDK needs this function, but nobody calls it. The engine uses the functions above.
    async fn update(&self, _input: StreamUpdateInput) -> Result<Option<StreamUpdateResult>, Error> {
        Err(Error::Handler("not called".into()))
    }
}
