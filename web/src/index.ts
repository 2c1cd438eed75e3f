// The start page: who is signed in, how far each integration is covered, and importing a file.
import "./index.css";
import { clearCoverage, showCoverage } from "./coverage";
import { clearImport, startImport } from "./import";
import { startSession } from "./session";

const offerIntegrations = startImport(() => void showCoverage());

startSession(
  async (session) => {
    const integrations = await showCoverage();
    // Imports are for administrators: a form that can only be refused is not shown.
    if (session.viewer.role === "ADMIN") offerIntegrations(integrations);
  },
  () => {
    clearCoverage();
    clearImport();
  },
);
