// What an operator can do, each with a question first.

import { $, say } from "./dom.js";
import { post } from "./api.js";

const dialog = $("#dialog");
const AUTHOR = "gateway-author";

/** Asks; resolves to what was entered once `act` has succeeded with it, or to null. */
export function ask({ title, text, confirm, reason = false, token = false, act }) {
  say($("#dialog-title"), title);
  say($("#dialog-text"), text);
  say($("#dialog-confirm"), confirm);
  say($("#dialog-wrong"), "");
  $("#dialog-reason-field").hidden = token;
  $("#dialog-author-field").hidden = token;
  $("#dialog-token-field").hidden = !token;
  $("#dialog-reason").required = reason;
  $("#dialog-reason").value = "";
  $("#dialog-reason").placeholder = reason ? "for whoever finds it later" : "optional";
  $("#dialog-token").value = "";
  $("#dialog-author").value = localStorage.getItem(AUTHOR) ?? "";
  if (!dialog.open) dialog.showModal();
  (token ? $("#dialog-token") : $("#dialog-reason")).focus();
  return new Promise((resolve) => {
    const finish = (value) => {
      dialog.onclose = null;
      dialog.close();
      resolve(value);
    };
    dialog.onclose = () => finish(null);
    $("#dialog-cancel").onclick = () => finish(null);
    $("#dialog-form").onsubmit = async (event) => {
      event.preventDefault();
      const said = { reason: $("#dialog-reason").value.trim(), author: $("#dialog-author").value.trim() };
      if (token) return finish($("#dialog-token").value.trim() || null);
      localStorage.setItem(AUTHOR, said.author);
      $("#dialog-confirm").disabled = true;
      try {
        await act(said);
        finish(said);
      } catch (error) {
        say($("#dialog-wrong"), error.message);
      } finally {
        $("#dialog-confirm").disabled = false;
      }
    };
  });
}

export const askForToken = (again) =>
  ask({
    title: "A token, please",
    text: again ? "That token was not accepted." : "This listener can be reached from other machines, so it wants the token of admin.token. It is kept in this tab only.",
    confirm: "Continue",
    token: true,
  });

const CIRCUIT = {
  open: ["Hold the circuit of", "open", "Every replica refuses calls to it with 503 until somebody resets it.", "Hold open", true],
  close: ["Hold the circuit of", "closed", "Every replica lets all calls through, however many fail, until somebody resets it.", "Hold closed", true],
  reset: ["Reset the circuit of", "", "It closes in the whole fleet, forgets its failures, and decides for itself again.", "Reset", false],
};

export function circuit(upstream, verb) {
  const [before, after, text, confirm, reason] = CIRCUIT[verb];
  return ask({
    title: `${before} ${upstream} ${after}`.trim(),
    text,
    confirm,
    reason,
    act: (said) => post(`circuits/${encodeURIComponent(upstream)}/${verb}`, said),
  });
}

export function resetBucket(policy, client) {
  return ask({
    title: `Fill the bucket of ${client}`,
    text: `The limit ${policy} starts anew for this client, on every replica.`,
    confirm: "Fill",
    act: (said) => post(`limits/${encodeURIComponent(policy)}/reset`, { ...said, client }),
  });
}

export function purge(route) {
  return ask({
    title: `Purge what ${route} keeps`,
    text: "Every replica forgets the answers that this route keeps, and asks its upstream again.",
    confirm: "Purge",
    reason: true,
    act: (said) => post("cache/purge", { ...said, route }),
  });
}

export function reload(everywhere) {
  return ask({
    title: "Read the configuration again",
    text: `${everywhere ? "Every replica reads its own files." : "This replica reads its files."} With mistakes in them everything stays as it is. No request is lost.`,
    confirm: "Reload",
    act: (said) => post("reload", { ...said, ...(everywhere ? { replicas: "all" } : {}) }),
  });
}

export function drain(replica) {
  return ask({
    title: `Take ${replica} out of rotation`,
    text: "Its /readyz fails from now on, so load balancers look away. It still serves what reaches it, until it is put back or stopped.",
    confirm: "Take out",
    act: (said) => post("drain", { ...said, replicas: [replica] }),
  });
}

export function undrain(replica) {
  return ask({
    title: `Put ${replica} back into rotation`,
    text: "Its /readyz passes again, and load balancers send it their share.",
    confirm: "Put back",
    act: (said) => post("undrain", { ...said, replicas: [replica] }),
  });
}

export function logLevel(level, everywhere) {
  return ask({
    title: `Log at level ${level}`,
    text: everywhere ? "Every replica, until it restarts." : "This replica alone, until it restarts.",
    confirm: "Set",
    act: (said) => post("log-level", { ...said, level, ...(everywhere ? { replicas: "all" } : {}) }),
  });
}
