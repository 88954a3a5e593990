//! A small key-value service. `store` holds values, `http` answers requests, `limiter` decides who waits, `audit`
//! writes down what changed. Time is always an argument.

pub mod audit;
pub mod http;
pub mod limiter;
pub mod store;
