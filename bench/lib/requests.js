// Requests as a middleware meets them: Node's own objects with Express's prototypes, without a connection.
import { IncomingMessage, ServerResponse } from "node:http";
import { Url } from "node:url";

const HEADERS = { host: "localhost", "user-agent": "bench", accept: "*/*" };

const unused = () => {};

/**
 * A request to an app, and its response, in the state in which the app's first middleware finds them.
 *
 * The steps are those of Express and in its order, since they decide what anything later costs: V8 shares no
 * hidden class among objects that got a property after `setPrototypeOf`, so each of Express's requests and
 * responses has one of its own, and no inline cache knows it.
 */
export function pair(app, { ip, url = "/", route }) {
  const req = new IncomingMessage({ remoteAddress: ip });
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  req.method = "GET";
  req.url = url;
  req.headers = HEADERS;
  const res = new ServerResponse(req);
  res.setHeader("X-Powered-By", "Express");
  req.res = res;
  res.req = req;
  Object.setPrototypeOf(req, app.request);
  Object.setPrototypeOf(res, app.response);
  res.locals = Object.create(null);
  req.next = unused;
  req.baseUrl = "";
  req.originalUrl = url;
  req._parsedUrl = parsed(url);
  req.params = {};
  if (route !== undefined) req.route = route;
  return { req, res };
}

/** A URL without query as Express's router parses it before it meets its first layer. */
function parsed(url) {
  return Object.assign(new Url(), { path: url, href: url, pathname: url, _raw: url });
}

/**
 * A task for `cpuNs`: a batch of requests through a middleware.
 *
 * `make(n)` gives the nth pair. Pairs are made before the clock starts, few at a time, so that they are as
 * young as a request is when its middleware runs.
 */
export async function batches(middleware, make, size) {
  const pairs = new Array(size);
  let made = 0;
  let left = 0;
  let wake = () => {};
  const next = (error) => {
    if (error) throw error;
    if (--left === 0) wake();
  };
  const send = () => {
    left = size;
    for (let i = 0; i < size; i++) middleware(pairs[i].req, pairs[i].res, next);
  };
  const sendAndWait = () =>
    new Promise((answered) => {
      wake = answered;
      send();
    });
  const before = () => {
    for (let i = 0; i < size; i++) pairs[i] = make(made++);
  };
  before();
  const first = sendAndWait();
  const isAsync = left > 0;
  await first;
  return { before, run: isAsync ? sendAndWait : send, isAsync };
}
