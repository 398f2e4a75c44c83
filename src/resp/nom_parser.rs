//! stub
pub struct NomParser<'a>(core::marker::PhantomData<&'a ()>);
