// Shows what /openapi.json says. All of it is set as text, so nothing in it can run.
"use strict";

function element(name, text, parent) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

function details(title, parent) {
  const section = element("section", "", parent);
  const made = element("details", "", section);
  element("summary", "", made).append(...title);
  return made;
}

function bold(text) {
  const made = document.createElement("b");
  made.textContent = text;
  return made;
}

function show(api) {
  document.getElementById("about").textContent = api.info.description;
  const routes = document.getElementById("routes");
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, route] of Object.entries(methods)) {
      const made = details([bold(method.toUpperCase()), " " + path], routes);
      element("p", route.summary, made);
      element("p", route["x-roles"] ? "For: " + route["x-roles"].join(", ") : "", made)
        .className = "roles";
      const shown = { parameters: route.parameters, body: route.requestBody,
                      responses: route.responses };
      element("pre", JSON.stringify(shown, null, 2), made);
    }
  }
  const shapes = document.getElementById("shapes");
  for (const [name, shape] of Object.entries(api.components.schemas)) {
    element("pre", JSON.stringify(shape, null, 2), details([bold(name)], shapes));
  }
}

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => {
    document.getElementById("about").textContent = "The document can't be read: " + error.message;
  });
