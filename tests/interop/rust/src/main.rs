//! The Rust crates as a service uses them: `oauth2` to call an API, `openidconnect` to discover the issuer,
//! `jsonwebtoken` to verify tokens. It answers lines on standard input; tests/interop says which.

use std::env;
use std::error::Error;
use std::io::stdin;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use oauth2::basic::{BasicClient, BasicRequestTokenError};
use oauth2::{
    AccessToken, AuthType, ClientId, ClientSecret, IntrospectionUrl, Scope,
    TokenIntrospectionResponse,
};
use oauth2::{TokenResponse, TokenUrl};
use openidconnect::IssuerUrl;
use openidconnect::core::CoreProviderMetadata;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use serde::Deserialize;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // Never follow a redirect with a secret.
    let http = Client::builder()
        .redirect(Policy::none())
        .timeout(Duration::from_secs(10))
        .build()?;
    let metadata = CoreProviderMetadata::discover(&IssuerUrl::new(var("ISSUER"))?, &http)?;
    let token_endpoint = metadata
        .token_endpoint()
        .ok_or("the metadata names no token endpoint")?
        .to_string();
    let mut issued = None;
    for line in stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["metadata"] => println!("{token_endpoint}"),
            ["token", way, secret, resource, scope] => {
                println!("{}", token(&http, way, secret, resource, scope)?)
            }
            ["call"] => {
                if issued.is_none() {
                    issued = Some(api_token(&http)?);
                }
                println!(
                    "{}",
                    call(&http, issued.as_ref().ok_or("there is no token")?)?
                );
            }
            ["verify", token] => {
                println!(
                    "{}",
                    verify(&http, metadata.jwks_uri().as_str(), token).unwrap_or_else(refused)
                )
            }
            ["introspect", token] => println!("{}", introspect(&http, token)?),
            _ => return Err(format!("unknown: {line}").into()),
        }
    }
    Ok(())
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn refused(error: Box<dyn Error>) -> String {
    eprintln!("{error}");
    "refused".to_owned()
}

/// A token for one API.
fn api_token(http: &Client) -> Outcome<AccessToken> {
    let client = BasicClient::new(ClientId::new(var("CLIENT_ID")))
        .set_client_secret(ClientSecret::new(var("CLIENT_SECRET")))
        .set_token_uri(TokenUrl::new(var("TOKEN_ENDPOINT"))?);
    let issued = client
        .exchange_client_credentials()
        .add_scope(Scope::new(var("SCOPE")))
        .add_extra_param("resource", var("RESOURCE"))
        .request(http)?;
    Ok(issued.access_token().clone())
}

fn call(http: &Client, token: &AccessToken) -> Outcome<u16> {
    Ok(http
        .get(var("API_URL"))
        .bearer_auth(token.secret())
        .send()?
        .status()
        .as_u16())
}

/// A new token, or the error code of RFC 6749.
fn token(http: &Client, way: &str, secret: &str, resource: &str, scope: &str) -> Outcome<String> {
    let client = BasicClient::new(ClientId::new(var("CLIENT_ID")))
        .set_client_secret(ClientSecret::new(secret.to_owned()))
        .set_auth_type(if way == "basic" {
            AuthType::BasicAuth
        } else {
            AuthType::RequestBody
        })
        .set_token_uri(TokenUrl::new(var("TOKEN_ENDPOINT"))?);
    let mut request = client.exchange_client_credentials();
    if resource != "-" {
        request = request.add_extra_param("resource", resource);
    }
    if scope != "-" {
        request = request.add_scope(Scope::new(scope.to_owned()));
    }
    match request.request(http) {
        Ok(issued) => Ok(issued.access_token().secret().clone()),
        Err(BasicRequestTokenError::ServerResponse(answer)) => Ok(answer.error().to_string()),
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct Claims {
    client_id: String,
}

/// Checks type, signature, issuer, audience and time; returns the client's id. Keep the keys in a real service.
fn verify(http: &Client, jwks_uri: &str, token: &str) -> Outcome<String> {
    let keys: JwkSet = http.get(jwks_uri).send()?.json()?;
    let header = decode_header(token)?;
    if header.typ.as_deref() != Some("at+jwt") {
        return Err("this is no access token".into());
    }
    let key = header
        .kid
        .and_then(|id| keys.find(&id).cloned())
        .ok_or("the key is unknown")?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[var("ISSUER")]);
    validation.set_audience(&[var("RESOURCE")]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    Ok(
        decode::<Claims>(token, &DecodingKey::from_jwk(&key)?, &validation)?
            .claims
            .client_id,
    )
}

/// Asks the issuer as the API's own client.
fn introspect(http: &Client, token: &str) -> Outcome<bool> {
    let client = BasicClient::new(ClientId::new(var("RESOURCE_SERVER_ID")))
        .set_client_secret(ClientSecret::new(var("RESOURCE_SERVER_SECRET")))
        .set_introspection_url(IntrospectionUrl::new(format!(
            "{}/introspect",
            var("ISSUER")
        ))?);
    Ok(client
        .introspect(&AccessToken::new(token.to_owned()))
        .request(http)?
        .active())
}
