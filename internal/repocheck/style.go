package repocheck

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// checkDocs wants a comment on every package and every exported name of it.
func (r *repo) checkDocs() {
	documented := map[string]bool{}
	first := map[string]*file{}
	for _, f := range r.goFiles() {
		if f.test() {
			continue
		}
		if first[f.dir()] == nil {
			first[f.dir()] = f
		}
		if f.ast.Doc.Text() != "" {
			documented[f.dir()] = true
		}
		for _, decl := range f.ast.Decls {
			r.checkDecl(decl)
		}
	}
	for dir, f := range first {
		if !documented[dir] {
			r.report(f.path, 1, "package %s has no comment", f.ast.Name.Name)
		}
	}
}

func (r *repo) checkDecl(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc.Text() == "" && !selfEvident(d) {
			r.reportNode(d, "exported %s has no comment", d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			r.checkSpec(d, spec)
		}
	}
}

// selfEvident are methods of unexported types, and those that the standard
// library has defined.
func selfEvident(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return false
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	if name, ok := t.(*ast.Ident); ok && !name.IsExported() {
		return true
	}
	switch d.Name.Name {
	case "Error", "String", "Unwrap":
		return true
	}
	return false
}

// checkSpec accepts for a constant or a variable the comment of its group.
func (r *repo) checkSpec(d *ast.GenDecl, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		if s.Doc.Text() == "" && (d.Lparen.IsValid() || d.Doc.Text() == "") {
			r.reportNode(s, "exported %s has no comment", s.Name.Name)
		}
		if methods, ok := s.Type.(*ast.InterfaceType); ok {
			for _, m := range methods.Methods.List {
				if len(m.Names) > 0 && m.Names[0].IsExported() && m.Doc.Text() == "" && m.Comment.Text() == "" && len(methods.Methods.List) > 1 {
					r.reportNode(m, "exported %s.%s has no comment", s.Name.Name, m.Names[0].Name)
				}
			}
		}
	case *ast.ValueSpec:
		if d.Doc.Text() != "" || s.Doc.Text() != "" || s.Comment.Text() != "" {
			return
		}
		for _, name := range s.Names {
			if name.IsExported() {
				r.reportNode(name, "exported %s has no comment", name.Name)
			}
		}
	}
}

// checkErrors finds errors that are compared where errors.Is has to ask, and
// errors that fmt.Errorf formats where it has to wrap.
func (r *repo) checkErrors() {
	for _, f := range r.goFiles() {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return n.Name.Name != "Is" // a target is compared there
			case *ast.BinaryExpr:
				compared := n.Op == token.EQL || n.Op == token.NEQ
				if compared && (isError(n.X) || isError(n.Y)) && !isNil(n.X) && !isNil(n.Y) {
					r.reportNode(n, "an error is compared with %s: use errors.Is", n.Op)
				}
			case *ast.SwitchStmt:
				if n.Tag != nil && isError(n.Tag) {
					r.reportNode(n, "a switch compares an error with ==: use errors.Is")
				}
			case *ast.CallExpr:
				r.checkErrorf(n)
			}
			return true
		})
	}
}

var (
	errorName = regexp.MustCompile(`^(err|Err)([A-Z0-9].*)?$|Err$`)
	verb      = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z%]`)
)

func isError(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return errorName.MatchString(e.Name)
	case *ast.SelectorExpr:
		pkg, _ := e.X.(*ast.Ident)
		return errorName.MatchString(e.Sel.Name) || pkg != nil && pkg.Name == "io" && e.Sel.Name == "EOF"
	}
	return false
}

func isNil(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "nil"
}

func (r *repo) checkErrorf(call *ast.CallExpr) {
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || fun.Sel.Name != "Errorf" || len(call.Args) < 2 {
		return
	}
	if pkg, ok := fun.X.(*ast.Ident); !ok || pkg.Name != "fmt" {
		return
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return
	}
	format, err := strconv.Unquote(lit.Value)
	if err != nil {
		return // the parser has refused it
	}
	arg := 0
	for _, v := range verb.FindAllString(format, -1) {
		if strings.HasSuffix(v, "%") {
			continue
		}
		arg++
		if arg < len(call.Args) && isError(call.Args[arg]) && !strings.HasSuffix(v, "w") {
			r.reportNode(call.Args[arg], "fmt.Errorf formats an error with %s: wrap it with %%w", v)
		}
	}
}
