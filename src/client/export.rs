//! `counterpart export`.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;

use super::{
    Ending,
    job::refused,
    output::Target,
    server::{Server, UserError},
    settings::{Export, ExportCommand, ExportMappings, ExportUsers},
};

#[derive(Deserialize)]
struct Asked {
    asked: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    url: Option<String>,
    user_errors: Vec<UserError>,
}

/// Exports what is asked for.
///
/// # Errors
/// What kept it from that, for a person.
pub async fn run(settings: Export) -> Result<Ending, String> {
    let (connection, output, mutation, filter) = match settings.command {
        ExportCommand::Users(ExportUsers { connection, output }) => {
            (connection, output, "exportUsers(input: {})", json!(null))
        }
        ExportCommand::Mappings(ExportMappings { connection, integration, output }) => {
            let filter = integration.map(|name| json!({ "integration": { "name": name } }));
            (connection, output, "exportMappings(input: {filter: $filter})", json!(filter))
        }
    };
    let target = Target::open(output.output.as_deref())?;
    let server = Server::reach(connection).await?;
    let declared = if mutation.contains("$filter") { "($filter: MappingFilter)" } else { "" };
    let query = format!("mutation {declared} {{ asked: {mutation} {{ url userErrors {{ code field message }} }} }}");
    let Asked { asked } = server.ask(&query, json!({ "filter": filter })).await?;
    let Some(url) = asked.url else { return Err(refused("the export", &asked.user_errors)) };

    // Hidden where nobody would see it move.
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {bytes} ({bytes_per_sec})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    let download = server.download(&url, output.gzip).await?;
    target.save(download, |bytes| bar.inc(bytes)).await?;
    bar.finish_and_clear();
    Ok(Ending::Whole)
}
