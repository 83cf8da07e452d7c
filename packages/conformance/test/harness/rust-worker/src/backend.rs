//! A stream backend in memory, for `create_stream`.
// The SDK marks its stream provider as deprecated. This worker exists to run it.
#![allow(deprecated)]

use std::sync::Mutex;

use async_trait::async_trait;
use iii_helpers::stream::{
    StreamDeleteInput, StreamDeleteResult, StreamGetInput, StreamListGroupsInput, StreamListInput, StreamSetInput, StreamSetResult,
    StreamUpdateInput, StreamUpdateResult,
};
use iii_sdk::errors::Error;
use iii_sdk::stream_provider::IStream;
use serde_json::{json, Value};

use crate::lines::report;

struct Item {
    group: String,
    id: String,
    value: Value,
}

/// Keeps items in the order of creation. It reports every operation as `backend`.
#[derive(Default)]
pub struct Backend {
    items: Mutex<Vec<Item>>,
}

impl Backend {
    fn told(&self, op: &str) {
        report("backend", json!(op), Value::Null);
    }
}

#[async_trait]
impl IStream for Backend {
    async fn get(&self, input: StreamGetInput) -> Result<Option<Value>, Error> {
        self.told("get");
        let items = self.items.lock().expect("no holder panics");
        Ok(items.iter().find(|item| item.group == input.group_id && item.id == input.item_id).map(|item| item.value.clone()))
    }

    async fn set(&self, input: StreamSetInput) -> Result<Option<StreamSetResult>, Error> {
        self.told("set");
        let mut items = self.items.lock().expect("no holder panics");
        let new_value = input.data.clone();
        let there = items.iter_mut().find(|item| item.group == input.group_id && item.id == input.item_id);
        let old_value = match there {
            Some(item) => Some(std::mem::replace(&mut item.value, input.data)),
            None => {
                items.push(Item { group: input.group_id, id: input.item_id, value: input.data });
                None
            }
        };
        Ok(Some(StreamSetResult { old_value, new_value }))
    }

    async fn delete(&self, input: StreamDeleteInput) -> Result<StreamDeleteResult, Error> {
        self.told("delete");
        let mut items = self.items.lock().expect("no holder panics");
        let at = items.iter().position(|item| item.group == input.group_id && item.id == input.item_id);
        Ok(StreamDeleteResult { old_value: at.map(|index| items.remove(index).value) })
    }

    async fn list(&self, input: StreamListInput) -> Result<Vec<Value>, Error> {
        self.told("list");
        let items = self.items.lock().expect("no holder panics");
        Ok(items.iter().filter(|item| item.group == input.group_id).map(|item| item.value.clone()).collect())
    }

    async fn list_groups(&self, _input: StreamListGroupsInput) -> Result<Vec<String>, Error> {
        self.told("list_groups");
        let items = self.items.lock().expect("no holder panics");
        let mut groups: Vec<String> = items.iter().map(|item| item.group.clone()).collect();
        groups.sort();
        groups.dedup();
        Ok(groups)
    }

    async fn update(&self, _input: StreamUpdateInput) -> Result<Option<StreamUpdateResult>, Error> {
        Err(Error::Handler("the SDK never calls this".into()))
    }
}
