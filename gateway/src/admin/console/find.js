// What the page is narrowed to: names that hold what was typed.

let wanted = "";

export function find(text) {
  wanted = text.trim().toLowerCase();
}

/** Whether one of `names` is wanted; all are while nothing was typed. */
export const found = (...names) => wanted === "" || names.some((name) => name?.toLowerCase().includes(wanted));
