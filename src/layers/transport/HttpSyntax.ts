/** What requests and answers of HTTP/1.1 are spelled with (RFC 9110, 5.6; RFC 9112, 2.2). */

export const TAB = 9
export const LF = 10
export const CR = 13
export const SPACE = 32
export const COLON = 58

/** The name of a header. */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
