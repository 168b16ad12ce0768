//! The SNS topic that gets every message.

use aws_sdk_sns::{Client, types::MessageAttributeValue};
use aws_types::SdkConfig;

use super::late::{Late, made};
use crate::{aws::AwsError, chat::amazon_q::Notification};

made!(Client);

/// The topic.
#[derive(Clone, Debug)]
pub struct Topic {
    client: Late<Client>,
    arn: String,
}

impl Topic {
    /// The topic with this ARN.
    pub fn new(config: &SdkConfig, arn: &str) -> Self {
        Self { client: Late::of(config), arn: arn.to_owned() }
    }

    /// Publishes a notification. The attribute `urgency` lets a subscription take the loud ones only.
    ///
    /// # Errors
    /// When SNS did not take it.
    pub async fn publish(&self, notification: &Notification) -> Result<(), AwsError> {
        let urgency = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(notification.urgency)
            .build()
            .map_err(|error| AwsError::unreadable("sns:Publish", &self.arn, error.to_string()))?;
        self.client
            .publish()
            .topic_arn(&self.arn)
            .subject(&notification.subject)
            .message(&notification.body)
            .message_attributes("urgency", urgency)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("sns:Publish", &self.arn, &error))?;
        Ok(())
    }
}
