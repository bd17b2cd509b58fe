import type { Request, Response } from "express";
import type { ClientDenied } from "./client-denied.js";
import type { RateLimitExceeded } from "./rate-limit-exceeded.js";

/** The problem type of a refusal (draft-ietf-httpapi-ratelimit-headers-10, section 5). */
export const QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded";

const TITLE = "Too Many Requests";

/** What a refusal can be written as, in the order in which it is preferred where the client does not say. */
const BODY_TYPES = ["html", "application/problem+json", "application/json", "text"] as const;

/** Weighing a longer list of types would make a refusal dear. */
const LONGEST_ACCEPT = 1000;

type BodyType = (typeof BODY_TYPES)[number];

const CONTENT_TYPES: Readonly<Record<BodyType, string>> = {
  html: "text/html; charset=utf-8",
  "application/problem+json": "application/problem+json; charset=utf-8",
  "application/json": "application/json; charset=utf-8",
  text: "text/plain; charset=utf-8",
};

/**
 * Answers 429 in what the client accepts: HTML, `application/problem+json` (RFC 9457), JSON, or text.
 *
 * `body` is sent as JSON in its stead.
 */
export function answerRefusal(
  req: Request,
  res: Response,
  error: RateLimitExceeded,
  body?: Readonly<Record<string, unknown>>,
): void {
  if (body !== undefined) send(res, error.status, "application/json", JSON.stringify(body));
  else answer(req, res, error.status, TITLE, error.message, () => problemOf(error));
}

/** Answers 403 in what the client accepts. */
export function answerDenied(req: Request, res: Response, error: ClientDenied): void {
  if (!res.hasHeader("Cache-Control")) res.setHeader("Cache-Control", "no-store");
  const title = "Forbidden";
  answer(req, res, error.status, title, error.message, () => ({ title, status: error.status }));
}

function answer(
  req: Request,
  res: Response,
  status: number,
  title: string,
  text: string,
  problem: () => Record<string, unknown>,
): void {
  const type = acceptedType(req);
  if (type === "html") send(res, status, type, htmlPage(status, title, text));
  else if (type === "text") send(res, status, type, text);
  else send(res, status, type, JSON.stringify(problem()));
}

/** Express knows what the client accepts; plain `http` does not, and gets text. */
function acceptedType(req: Request): BodyType {
  if (typeof req.accepts !== "function") return "text";
  if ((req.headers.accept?.length ?? 0) > LONGEST_ACCEPT) return "text";
  const accepted = req.accepts([...BODY_TYPES]);
  return BODY_TYPES.find((type) => type === accepted) ?? "text";
}

/** By Node's own means: an error needs no ETag, and the limiter may stand in front of plain `http`. */
function send(res: Response, status: number, type: BodyType, body: string): void {
  res.statusCode = status;
  res.setHeader("Content-Type", CONTENT_TYPES[type]);
  res.setHeader("Content-Length", Buffer.byteLength(body));
  res.end(body);
}

/** The problem document: which policies were exceeded, and how long to wait (absent when no wait helps). */
function problemOf(error: RateLimitExceeded): Record<string, unknown> {
  return {
    type: QUOTA_EXCEEDED,
    title: TITLE,
    status: error.status,
    detail: error.message,
    "violated-policies": error.policies,
    ...(Number.isFinite(error.retryAfter) ? { retryAfter: error.retryAfter } : {}),
  };
}

function htmlPage(status: number, title: string, text: string): string {
  return (
    '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n' +
    `<title>${status} ${title}</title>\n` +
    `<h1>${title}</h1>\n` +
    `<p>${escapeHtml(text)}</p>\n`
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
