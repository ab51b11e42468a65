"""The web page that shows cassettes and live sessions."""
