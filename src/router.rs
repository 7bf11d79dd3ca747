//! All routes, and all layers in order. Nothing else mounts anything.

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, Request};
use axum::middleware::{from_fn, from_fn_with_state, map_request, map_request_with_state};
use axum::routing::{MethodRouter, any, get, post};
use flowdeck_model::ports::Bind;
use tower::ServiceBuilder;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;

use crate::api::{self, problem};
use crate::config::Base;
use crate::layers::{actor, headers, host, limits, log, origin};
use crate::state::{AppState, Options};
use crate::{assets, events, health, kafkaflow, metrics, pages};

/// The service, for a base path that its host may nest: pages, API and stream under the base;
/// `/health…` and `/metrics` beside it, where the host passes them on.
pub fn service(bind: Arc<dyn Bind>, options: Options) -> Router {
    // Leptos renders on tokio; a second call in one process finds it set, which is as well.
    let _ = any_spawner::Executor::init_tokio();
    let state = AppState::new(bind, options);
    let canonical = map_request_with_state(state.clone(), kafkaflow::path::canonical);
    let routes = routes(&state).with_state(state);
    // `nest` strips the path that it was mounted under, and leptos routes by the path of the
    // request: it is given back before any of our routes is looked at.
    Router::new()
        .fallback_service(ServiceBuilder::new().layer(map_request(original)).layer(canonical).service(routes))
}

async fn original(mut request: Request) -> Request {
    if let Some(OriginalUri(uri)) = request.extensions().get::<OriginalUri>().cloned() {
        *request.uri_mut() = uri;
    }
    request
}

/// The routes, and their paths: what is mounted can be listed, so that a test drives all of it.
#[derive(Default)]
struct Mounted {
    router: Router<AppState>,
    /// Not counted among the requests that are answered at once.
    apart: Router<AppState>,
    paths: Vec<String>,
}

impl Mounted {
    fn route(mut self, path: &str, methods: MethodRouter<AppState>) -> Self {
        self.paths.push(path.to_owned());
        self.router = self.router.route(path, methods);
        self
    }

    /// The paths are those of the OpenAPI document.
    fn api(mut self, base: &str) -> Self {
        let at = format!("{base}/api/v1");
        let (router, document) = api::openapi::routes();
        self.paths.extend(document.paths.paths.keys().map(|path| format!("{at}{path}")));
        self.router = self.router.nest(&at, router);
        self
    }

    fn kafkaflow(self, base: &str) -> Self {
        kafkaflow::routes()
            .fold(self, |mounted, (below, methods)| mounted.route(&format!("{base}{below}"), methods))
    }

    fn route_apart(mut self, path: &str, methods: MethodRouter<AppState>) -> Self {
        self.paths.push(path.to_owned());
        self.apart = self.apart.route(path, methods);
        self
    }
}

/// Every path behind which something answers: routes as they are mounted, server functions, pages.
/// The methods of each are in the `Allow` of a 405.
pub fn entry_points(base: &Base) -> Vec<String> {
    let base: &'static str = base.as_str().to_owned().leak();
    let mut all = mounted(base).paths;
    all.extend(leptos::server_fn::axum::server_fn_paths().map(|(path, _)| format!("{base}{path}")));
    let site = app::Site {
        base,
        pkg: None,
        build: String::new(),
        scripts: false,
        nonce: String::new(),
        theme: app::Theme::Auto,
        warnings: vec![],
    };
    let pages = leptos_axum::generate_route_list(move || app::shell(site.clone(), base));
    all.extend(app::SERVED_PATHS.iter().map(|path| format!("{base}{path}")));
    all.extend(pages.iter().map(|page| page.path().to_owned()));
    all.sort();
    all.dedup();
    all
}

fn mounted(base: &str) -> Mounted {
    let at = |below: &str| format!("{base}{below}");

    let mounted = Mounted::default()
        // For machines; never under the base.
        .route("/health", get(health::ready))
        // One that is busy lives.
        .route_apart("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        // Megabytes for Prometheus, which wants them soon more than small.
        .route(
            "/metrics",
            get(metrics::serve).layer(CompressionLayer::new().quality(CompressionLevel::Fastest)),
        )
        // The JSON API.
        .api(base)
        .route(&at("/api/v1/openapi.json"), get(api::openapi::serve))
        .route(&at("/api"), any(problem::no_such_path))
        .route(&at("/api/{*rest}"), any(problem::no_such_path))
        // KafkaFlow's own contracts.
        .kafkaflow(base)
        // What pages use: reads of the browser, live views, files.
        .route(&at("/fn/{*name}"), any(pages::functions::call))
        .route(&at("/events"), get(events::open))
        .route(&at("/pkg/{*file}"), get(assets::respond::pkg))
        // Forms.
        .route(&at("/theme"), post(pages::theme::set))
        .route(&at("/login"), get(pages::login::page).post(pages::login::submit))
        .route(&at("/logout"), post(pages::login::log_out))
        .route(&at("/logout-everywhere"), post(pages::login::log_out_everywhere))
        .route(&at("/c/{cluster}/groups/{group}/offsets"), get(pages::page::show).post(pages::forms::preview))
        .route(&at("/c/{cluster}/commands"), get(pages::page::show).post(pages::forms::submit))
        .route(&at("/c/{cluster}/redrives"), get(pages::page::show).post(pages::redrives::submit))
        .route(&at("/c/{cluster}/redrives/{id}"), get(pages::page::show).post(pages::redrives::order))
        .route(&at("/c/{cluster}/canaries"), get(pages::page::show).post(pages::canaries::submit))
        .route(&at("/c/{cluster}/canaries/{id}"), get(pages::page::show).post(pages::canaries::order))
        .route(&at("/c/{cluster}/bulk"), get(pages::page::show).post(pages::forms::preview))
        .route(&at("/c/{cluster}/bulks"), get(pages::page::show).post(pages::bulks::submit))
        .route(&at("/c/{cluster}/bulks/{id}"), get(pages::page::show).post(pages::bulks::stop))
        .route(
            &at("/c/{cluster}/topics/{topic}/produce"),
            get(pages::page::show).post(pages::produce::submit),
        )
        .route(
            &at("/c/{cluster}/topics/{topic}/retention"),
            get(pages::page::show).post(pages::retentions::submit),
        )
        .route(&at("/c/{cluster}/retentions/{id}"), get(pages::page::show).post(pages::retentions::end))
        // Pages. Which one, the app's own router knows.
        .route(&at("/{*page}"), get(pages::page::show));
    if base.is_empty() {
        return mounted.route("/", get(pages::page::show));
    }
    mounted
        .route(base, get(pages::page::show))
        .route(&at("/"), get(pages::page::to_base))
        .route("/", get(pages::page::to_base))
}

fn routes(state: &AppState) -> Router<AppState> {
    let Mounted { router, apart, .. } = mounted(state.base);
    let inner = ServiceBuilder::new()
        .layer(from_fn_with_state(state.clone(), limits::at_once))
        .layer(from_fn_with_state(state.clone(), limits::in_time))
        // Innermost: bodies as handlers made them. Streams, images and what is compressed already
        // are left alone.
        .layer(CompressionLayer::new());
    let outer = ServiceBuilder::new()
        // Refusals of all that follows carry the same headers as answers.
        .layer(from_fn_with_state(state.clone(), headers::add))
        // Every answer is counted, refusals too.
        .layer(from_fn_with_state(state.clone(), metrics::count))
        // Problem documents are written where the path is known and nothing can fail after it.
        .layer(from_fn_with_state(state.clone(), problem::finish))
        // A panic below becomes a 500 that is counted and has our headers.
        .layer(CatchPanicLayer::custom(limits::panicked))
        // The client's address, before anything judges or logs the request.
        .layer(from_fn_with_state(state.clone(), actor::client_address))
        .layer(from_fn(log::line))
        // Another name is refused before any state is looked at.
        .layer(from_fn_with_state(state.clone(), host::check))
        .layer(from_fn_with_state(state.clone(), origin::check))
        // A body that says it is too long; the limit below cuts those that lie.
        .layer(from_fn_with_state(state.clone(), limits::body));
    // Added from the innermost to the outermost; inside each, from the outermost to the innermost.
    router
        .fallback(problem::no_such_path)
        .layer(inner)
        .merge(apart)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(RequestBodyLimitLayer::new(state.options.limits.body))
        .layer(outer)
}
