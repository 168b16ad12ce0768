//! The SNS topic that gets every message.

use aws_sdk_sns::{operation::publish::PublishInput, types::MessageAttributeValue};
use aws_types::SdkConfig;

use super::client::{Call as _, Client, service};
use crate::{aws::AwsError, chat::amazon_q::Notification};

service! {
    Api = aws_sdk_sns, "SNS", "sns";
    publish: Publish PublishInputBuilder PublishOutput PublishError;
}

/// The topic.
#[derive(Clone, Debug)]
pub struct Topic {
    client: Client<Api>,
    arn: String,
}

impl Topic {
    /// The topic with this ARN.
    pub fn new(config: &SdkConfig, arn: &str) -> Self {
        Self { client: Client::of(config), arn: arn.to_owned() }
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
        PublishInput::builder()
            .topic_arn(&self.arn)
            .subject(&notification.subject)
            .message(&notification.body)
            .message_attributes("urgency", urgency)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk("sns:Publish", &self.arn, &error))?;
        Ok(())
    }
}
