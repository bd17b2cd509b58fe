import type { Request, Response } from "express";
import type { ClientDenied } from "./client-denied.js";
import type { RateLimitExceeded } from "./rate-limit-exceeded.js";

/** The problem type of a refusal (draft-ietf-httpapi-ratelimit-headers-10, section 5). */
export const QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded";

const TITLE = "Too Many Requests";

/** In the order in which they are preferred where the client does not say. */
const BODY_TYPES = ["html", "application/problem+json", "application/json", "text"];

/**
 * Answers 429 in what the client accepts: HTML, `application/problem+json` (RFC 9457), JSON, or text.
 *
 * `body` replaces the document for JSON and stands in for it as JSON where the client takes none.
 */
export function answerRefusal(
  req: Request,
  res: Response,
  error: RateLimitExceeded,
  body?: Readonly<Record<string, unknown>>,
): void {
  res.status(error.status);
  if (body !== undefined) {
    res.json(body);
    return;
  }
  const type = req.accepts(BODY_TYPES);
  if (type === "html") {
    res.type("html").send(htmlPage(error.status, TITLE, error.message));
  } else if (type === "application/problem+json" || type === "application/json") {
    res.type(type).send(JSON.stringify(problemOf(error)));
  } else {
    res.type("text").send(error.message);
  }
}

/** Answers 403 in what the client accepts. */
export function answerDenied(req: Request, res: Response, error: ClientDenied): void {
  if (!res.hasHeader("Cache-Control")) res.setHeader("Cache-Control", "no-store");
  res.status(error.status);
  const type = req.accepts(BODY_TYPES);
  if (type === "html") res.type("html").send(htmlPage(error.status, "Forbidden", error.message));
  else if (type === "application/problem+json" || type === "application/json") {
    res.type(type).send(JSON.stringify({ title: "Forbidden", status: error.status }));
  } else res.type("text").send(error.message);
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
