// Signing in, alike on both pages: the form, who is signed in, and what to do when that changes.
import { ApiError, errorText, query, token } from "./api";
import { element, sentenceCase } from "./dom";

export interface Session {
  viewer: { email: string; role: string };
  organization: { name: string; manageMode: string };
}

/** Wires up the sign-in form; signs in at once where this tab already has a token. */
export function startSession(onSignIn: (session: Session) => void, onSignOut: () => void): void {
  const form = element("sign-in", HTMLFormElement);
  const field = element("token", HTMLInputElement);
  const signedIn = element("signed-in", HTMLElement);
  const message = element("sign-in-message", HTMLElement);

  async function signIn(): Promise<void> {
    message.textContent = "Signing in …";
    try {
      const session = await query<Session>("{ viewer { email role } organization { name manageMode } }");
      const mode = session.organization.manageMode === "AUTO" ? ", users and teams follow the CRM" : "";
      const { email, role } = session.viewer;
      element("viewer", HTMLElement).textContent = `${email} (${sentenceCase(role)}), ${session.organization.name}${mode}`;
      message.textContent = "";
      field.value = "";
      form.hidden = true;
      signedIn.hidden = false;
      onSignIn(session);
    } catch (error) {
      // A token that is refused is forgotten; one that could not be tried, because the server was away, is kept.
      if (error instanceof ApiError && error.code === "UNAUTHENTICATED") token.clear();
      message.textContent = errorText(error);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(field.value.trim());
    void signIn();
  });
  element("sign-out", HTMLButtonElement).addEventListener("click", () => {
    token.clear();
    form.hidden = false;
    signedIn.hidden = true;
    onSignOut();
    field.focus();
  });
  if (token.get()) void signIn();
}
