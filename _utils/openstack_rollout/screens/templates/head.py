"""What every HTML file begins with, for Jinja2 with autoescape: no word of it comes from a cloud."""

TEXT = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="openstack-rollout">
<meta http-equiv="Content-Security-Policy" content="{{ policy | safe }}">
<title>{{ page_title }}</title>
<style>{{ style | safe }}</style>
"""
