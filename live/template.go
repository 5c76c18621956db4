package live

import "html/template"

// page is the page without its contents, which its script adds.
var page = template.Must(template.ParseFS(assets, "assets/index.html"))
