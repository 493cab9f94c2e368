// What every page does: tell its style that scripts run, and keep the chosen language for the next pages.

document.documentElement.classList.add("script");

for (const link of document.querySelectorAll("[data-language]")) {
  link.addEventListener("click", () => {
    document.cookie = `language=${link.dataset.language}; path=/; max-age=31536000; samesite=lax`;
  });
}
