//! Stacks in the ledger: whose drift is being detected, and what was told of it.

use crate::aws::client::Call as _;
use aws_sdk_dynamodb::operation::{put_item::PutItemError, put_item::PutItemInput};
use jiff::Timestamp;

use super::{
    Ledger,
    notes::beyond,
    records::{item, number},
};
use crate::{
    aws::AwsError,
    drift::{Detection, StackId, StackTold, StackWaits},
    ledger::{Partition, sort_key},
};

impl Ledger {
    /// The stacks that wait for the detection of their drift, and the detections that were started and are not over, by
    /// two strongly consistent queries.
    ///
    /// # Errors
    /// When DynamoDB does not tell, or holds a record that this version does not understand.
    pub async fn detections(&self, now: Timestamp) -> Result<(Vec<StackWaits>, Vec<Detection>), AwsError> {
        let (waits, begun) = (sort_key::STACK_WAITS, sort_key::DETECTION);
        Ok((
            self.bodies(&Partition::Detections, (waits, &beyond(waits)), now).await?,
            self.bodies(&Partition::Detections, (begun, &beyond(begun)), now).await?,
        ))
    }

    /// What was told of a stack last; none if nothing ever was, or too long ago.
    ///
    /// # Errors
    /// As [`Ledger::detections`].
    pub async fn stack_told(&self, stack: &StackId, now: Timestamp) -> Result<Option<StackTold>, AwsError> {
        let partition = Partition::Stack(stack.clone());
        let told = self.bodies(&partition, (sort_key::DRIFT, sort_key::DRIFT), now).await?;
        Ok(told.into_iter().next())
    }

    /// Writes down what was told of a stack, over what is there, but never over a later turn: of two who judge at once
    /// the one who read first may write last.
    pub(super) async fn tell_stack(
        &self,
        stack: &StackId,
        told: &StackTold,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let key = Partition::Stack(stack.clone()).key();
        let mut item = item(&key, sort_key::DRIFT, told, now)?;
        item.insert("turn".to_owned(), number(told.turn));
        let put = PutItemInput::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR turn <= :turn")
            .expression_attribute_values(":turn", number(told.turn))
            .sent_by(&self.client)
            .await;
        match put {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
                Some(_) | None => Err(AwsError::from_sdk("dynamodb:PutItem", &key, &error)),
            },
        }
    }
}
