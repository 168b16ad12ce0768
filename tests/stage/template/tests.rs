//! Checks of the reader and the resolver, on small templates.

use serde_json::{Value, json};

use super::Template;

const SMALL: &str = r#"
Parameters:
  Names: { Type: CommaDelimitedList, Default: "a, b" }
  Chat: { Type: String, Default: "" }
  Account: { Type: String, Default: 012345678901 }
Conditions:
  HasChat: !Not [!Equals [!Ref Chat, ""]]
  HasNone: !And [!Not [!Condition HasChat], !Equals [!Join ["", !Ref Names], ab]]
Globals:
  Function:
    Timeout: 30
    Environment: { Variables: { SHARED: !Ref Table } }
Resources:
  Key: { Type: AWS::KMS::Key }
  Table: { Type: AWS::DynamoDB::Table, Metadata: &meta { built: here } }
  OnlyWithChat: { Type: AWS::SQS::Queue, Condition: HasChat }
  SomeFunction:
    Type: AWS::Serverless::Function
    Metadata: *meta
    Properties:
      Timeout: 60
      Description: !Sub "${!kept} ${Table.Arn}"
      FunctionName: !Sub "${AWS::StackName}-some"
      Role: !GetAtt SomeFunctionRole.Arn
      Environment: { Variables: { OWN: !If [HasChat, !Ref Chat, !Ref AWS::NoValue], ACCOUNT: !Ref Account } }
  SomeFunctionRole:
    Type: AWS::IAM::Role
    Properties:
      Path: !Sub "/${AWS::StackName}/"
      Policies:
        - PolicyDocument:
            Version: 2012-10-17
            Statement:
              - Sid: Read
                Effect: Allow
                Action: dynamodb:GetItem
                Resource: !Split [",", !Sub ["arn:${AWS::Partition}:x:::${N}/y", { N: !Join ["/y,arn:aws:x:::", !Ref Names] }]]
              - !If
                - HasNone
                - { Sid: Own, Effect: Allow, Action: "kms:Decrypt", Resource: !GetAtt Key.Arn }
                - !Ref AWS::NoValue
"#;

fn stack(parameters: &[(&str, &str)]) -> Result<super::Stack, String> {
    Template::read(SMALL).unwrap().stack(parameters)
}

#[test]
fn functions_parameters_and_conditions_are_resolved() {
    let stack = stack(&[]).unwrap();
    assert!(!stack.resources.contains_key("OnlyWithChat"));
    let function = &stack.functions()[0];
    assert_eq!((function.logical.as_str(), function.name.as_str()), ("SomeFunction", "some-function"));
    assert_eq!(function.properties["Timeout"], 60);
    assert_eq!(function.properties["FunctionName"], "belay-some");
    let table = "arn:aws:dynamodb:us-east-1:123456789012:table/belay-ledger";
    assert_eq!(function.properties["Description"], format!("${{kept}} {table}"));
    assert_eq!(
        function.properties["Environment"]["Variables"],
        json!({ "SHARED": "belay-ledger", "ACCOUNT": "012345678901" })
    );
    assert_eq!(function.properties["Role"], "arn:aws:iam::123456789012:role/belay/belay-SomeFunctionRole");
    assert_eq!(stack.resources["SomeFunction"]["Metadata"], json!({ "built": "here" }));
    let document = &stack.resources["SomeFunctionRole"]["Properties"]["Policies"][0]["PolicyDocument"];
    assert_eq!(document["Version"], "2012-10-17");
    assert_eq!(document["Statement"][0]["Resource"], json!(["arn:aws:x:::a/y", "arn:aws:x:::b/y"]));
    assert_eq!(document["Statement"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_parameter_decides_what_is_there() {
    let stack = stack(&[("Chat", "xyz")]).unwrap();
    assert!(stack.resources.contains_key("OnlyWithChat"));
    assert_eq!(stack.functions()[0].properties["Environment"]["Variables"]["OWN"], "xyz");
    let statements =
        &stack.resources["SomeFunctionRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
    assert_eq!(statements.as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_not_known_is_named() {
    let wrong = |from: &str, to: &str| {
        assert!(SMALL.contains(from));
        let read = Template::read(&SMALL.replace(from, to));
        read.and_then(|template| template.stack(&[])).unwrap_err()
    };
    assert!(wrong("!Ref Table", "!Reff Table").contains("!Reff is not known"));
    assert!(wrong("!Ref Table", "{ Fn::Cidr: Table }").contains("Fn::Cidr is not known"));
    assert!(wrong("!Ref Table", "!Ref Tabel").contains("nothing in the template is called Tabel"));
    assert!(wrong("!Ref Table", "!GetAtt Table.Colour").contains("Table.Colour"));
    assert!(wrong("!Ref Table", "!GetAtt OnlyWithChat.Arn").contains("HasChat does not hold"));
    assert!(wrong("[HasChat, !Ref Chat", "[HasChatt, !Ref Chat").contains("no condition HasChatt"));
    assert!(wrong("{ Type: String, Default: \"\" }", "{ Type: String }").contains("Chat has no default"));
    assert!(wrong("!Condition HasChat", "!Condition HasNone").contains("back to itself"));
    assert!(
        wrong("      Timeout: 60\n", "      Timeout: 60\n      Timeout: 61\n")
            .contains("Timeout stands here twice")
    );
    assert!(stack(&[("Chatt", "")]).unwrap_err().contains("no parameter Chatt"));
}

#[test]
fn a_role_is_found_by_its_arn() {
    let stack = stack(&[]).unwrap();
    let role = stack.role(&stack.functions()[0]).unwrap();
    let sids: Vec<&str> = role.statements.iter().map(|statement| statement.sid.as_str()).collect();
    assert_eq!((role.name.as_str(), sids), ("SomeFunctionRole", vec!["Read", "Own"]));
    let mut other = stack.functions().remove(0);
    other.properties["Role"] = Value::from("arn:aws:iam::123456789012:role/another");
    assert!(stack.role(&other).unwrap_err().contains("no role of this template"));
}
